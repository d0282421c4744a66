/** A vault that is killed at any moment keeps every promise it gave, and nothing half done. */
import { spawn } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { World, shardBytes } from "../contract/host.ts";
import { newDirectory, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/vault.crash.test.ts`;
const random = seededRandom(`${seed}/vault.crash`);
const child = fileURLToPath(new URL("../support/vault-crash-child.ts", import.meta.url));
const pieceCount = 48;

for (let round = 0; round < 6; round++) {
  test(`killed at a random moment, round ${round}, every receipt is true`, async (t) => {
    const directory = await newDirectory();
    const worldSeed = `${seed}/crash/${round}`;
    const said = await runAndKill(directory, worldSeed, random.below(pieceCount));
    const world = new World(seededRandom(worldSeed));
    const pieces = Array.from({ length: pieceCount }, () => world.segment());
    {
      await using house = await openHouseIn(directory, world.holder);
      const { vault } = house;
      let kept = 0;
      let keptBytes = 0;
      const wrong: string[] = [];
      for (const [at, piece] of pieces.entries()) {
        const whole = { offsetBytes: 0, lengthBytes: shardBytes };
        const read = await vault.read(world.owner, piece.id, whole).catch((fault: unknown) => {
          if (!isFault(fault, "NotFound")) throw fault;
          return undefined;
        });
        const state = said.get(at);
        if (state === "+" && read === undefined) wrong.push(`${at}: receipt without a shard`);
        if (state === "-" && read !== undefined) wrong.push(`${at}: released, yet here`);
        if (read === undefined) continue;
        if (shardIdOf(read) !== piece.id) wrong.push(`${at}: other bytes`);
        kept++;
        keptBytes += shardBytes + piece.record.bytes.length;
      }
      t.strictSame(wrong, [], replay);
      const manifestBytes = said.size + kept > 0 ? world.manifest.bytes.length : 0;
      const usage = vault.usage();
      t.equal(usage.shards, kept, replay);
      if (usage.owners > 0) t.equal(usage.usedBytes, keptBytes + manifestBytes, replay);
      t.strictSame(await readdir(join(directory, "vault", "incoming")), []);
      while ((await vault.step.step(new AbortController().signal)) === "busy");
      t.equal(vault.usage().shards, kept, "the scrub finds nothing spoilt");
      t.equal((await shardFiles(directory)).length, kept, "and leaves no file without an entry");
    }
    await rm(directory, { recursive: true });
  });
}

/** Kills the child once it has said so many words; the last word on each piece. */
function runAndKill(
  directory: string, worldSeed: string, after: number,
): Promise<ReadonlyMap<number, string>> {
  const said = new Map<number, string>();
  return new Promise((resolve, reject) => {
    const run = spawn(process.execPath, [child, directory, worldSeed, String(pieceCount)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let text = "";
    run.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split("\n").length - 1 > after) run.kill("SIGKILL");
    });
    run.on("error", reject);
    run.on("close", (code, signal) => {
      if (signal !== "SIGKILL") return reject(new Error(`child ended with ${code}, ${replay}`));
      for (const line of text.split("\n").slice(0, -1)) {
        const [word, at] = line.split(" ");
        if (word !== undefined && at !== undefined) said.set(Number(at), word);
      }
      resolve(said);
    });
  });
}

async function shardFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, "vault", "shards"), { recursive: true });
  return names.filter((name) => name.includes("/"));
}
