/** A full disk, for which a tiny tmpfs stands: no receipt, no half shard, and room again later. */
import { execFileSync } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import { openVault } from "../../src/vault/vault.ts";
import { type Piece, World, refused, shardBytes } from "../contract/host.ts";
import { newDirectory } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.disk`);
const asRoot = process.getuid?.() === 0 && process.platform === "linux";
const skip = asRoot ? false : "only root may mount a tmpfs";

test("on a full disk a store is refused as Quota and leaves nothing", { skip }, async (t) => {
  const directory = await newDirectory();
  const disk = join(directory, "disk");
  await mkdir(disk);
  // Room for two shards and the vault's 258 folders, not for three.
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=192k", "tmpfs", disk]);
  try {
    const world = new World(random);
    await using books = await openKeyValue(join(directory, "books"));
    const needs = {
      directory: join(disk, "vault"), books, clock: systemClock, log: silentLog,
      keys: world.holder,
    };
    await using vault = await openVault(needs, { quotaBytes: 2 ** 30 });
    const kept: Piece[] = [];
    const failing = [0, 1, 2, 3].map(() => world.segment());
    for (const piece of failing) {
      const stored = await world.store(vault, piece).catch(() => undefined);
      if (stored !== undefined) kept.push(piece);
    }
    t.ok(kept.length >= 1 && kept.length < failing.length, `${kept.length} kept`);
    await refused(t, "full", world.store(vault, world.segment()), "Quota");
    t.equal(vault.usage().shards, kept.length);
    t.strictSame(await readdir(join(disk, "vault", "incoming")), []);
    const [first] = kept;
    if (first === undefined) throw new Error("one was kept");
    const range = { offsetBytes: 0, lengthBytes: shardBytes };
    t.ok(first.shard.equals(await vault.read(world.owner, first.id, range)));
    await vault.release(world.owner, world.release(first));
    await world.store(vault, world.segment());
    t.equal(vault.usage().shards, kept.length);
  } finally {
    execFileSync("umount", [disk]);
    await rm(directory, { recursive: true });
  }
});
