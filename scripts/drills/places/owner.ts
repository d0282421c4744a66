/**
 * The owner's side of the drill `places`: an ordinary drive, mounted at home by the ordinary
 * command, whose folders go by policies; and, once it is unmounted, what its books and everybody's
 * disks say.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../../src/base/random.ts";
import { openKeyValue } from "../../../src/cache/index/key-value.ts";
import { SegmentBooks } from "../../../src/transfer/books.ts";
import { type Machine, newMachine, run, until } from "../../../test/support/cli.ts";
import { type Towns, shardsOnDisk } from "../../../test/support/made-up-towns.ts";
import { type Dweller, addressOf } from "../../../test/support/world-plan.ts";
import { must } from "../machine.ts";
import { type Placed, fileBytes } from "./judge.ts";
import type { Row } from "./policies.ts";

const meetSeconds = 900;

export interface Owner extends AsyncDisposable {
  readonly machine: Machine;
  readonly rows: readonly Row[];
  /** Hashes of what was written, by the policy's name. */
  readonly files: Map<string, string>;
}

export async function newOwner(
  towns: Towns, name: string, rows: readonly Row[],
): Promise<Owner> {
  const machine = newMachine(name, { as: { wrapper: towns.owners, uid: 0 } });
  await must(machine, ["init"]);
  const { home, dwellers } = towns.plan;
  const config = join(machine.home, "config");
  mkdirSync(join(config, "policies"), { recursive: true, mode: 0o700 });
  for (const row of rows) writePolicy(machine, row);
  writeFileSync(join(config, "settings.json"), JSON.stringify({
    deviceName: "owner", household: "the owner", country: home.country, mdns: false,
    relay: "off", upnp: false,
    listen: [`/ip4/${home.address}/tcp/4000`],
    bootstrap: dwellers.filter(({ number }) => number % 8 === 1).slice(0, 8).map(addressOf),
  }));
  const files = new Map<string, string>();
  const leave = (): void => endAtOnce(machine);
  process.once("exit", leave);
  return {
    machine, rows, files,
    async [Symbol.asyncDispose]() {
      await machine.end();
      process.off("exit", leave);
    },
  };
}

/** For an exit that waits for nothing. */
function endAtOnce({ directory, home, mount }: Machine): void {
  const pidFile = join(home, "state", "cache", "pid");
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0;
  spawnSync("umount", ["-l", mount], { stdio: "ignore" });
  if (pid > 1 && existsSync(`/proc/${pid}`)) process.kill(pid, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
}

export function writePolicy(machine: Machine, row: Pick<Row, "name" | "text">): void {
  writeFileSync(join(machine.home, "config", "policies", `${row.name}.policy`), row.text);
}

/** Mounted, and with so many peers online. */
export async function mountAmong({ machine }: Owner, peers: number): Promise<void> {
  await must(machine, ["mount", machine.mount]);
  // On a busy machine the daemon may be late with its answer: it is asked again.
  const isMet = async () => {
    const online = await machine.status().then((found) => found.peers.online, () => 0);
    return online >= peers;
  };
  await until(isMet, { seconds: meetSeconds, what: `${peers} peers are online` });
}

/** A folder for each policy with a file in it. */
export async function writeRows(
  { machine, files }: Owner, rows: readonly Row[], seed: string,
): Promise<void> {
  for (const { name, vouched = [] } of rows) {
    for (const { peer, country } of vouched) {
      await must(machine, ["peers", "trust", peer, "--location", country]);
    }
    const folder = join(machine.mount, name);
    mkdirSync(folder);
    const set = await run("setfattr", ["-n", "user.hive.policy", "-v", name, folder], {});
    if (set.code !== 0) throw new Error(`${name}: ${set.error}`);
    const bytes = seededRandom(`${seed}/${name}`).bytes(fileBytes);
    writeFileSync(join(folder, "file"), bytes);
    files.set(name, hashOf(bytes));
  }
}

/** Every file, with nothing of it on this machine that a peer has. */
export async function readRows({ machine, files }: Owner): Promise<void> {
  await must(machine, ["cache", "--drop"]);
  for (const [name, hash] of files) {
    const isSame = hashOf(readFileSync(join(machine.mount, name, "file"))) === hash;
    if (!isSame) throw new Error(`${name}: not the bytes that were written`);
  }
}

/** Which shards belong to which policy, from the books of a drive that is not mounted. */
export async function shardsByPolicy({ machine }: Owner): Promise<readonly Placed[]> {
  const directory = join(machine.home, "state", "node", "books", "transfer");
  await using books = await openKeyValue(directory);
  const names = new Map<string, string>();
  for await (const [key, value] of books.list("q/")) names.set(key.slice(2), String(value));
  const segments = new SegmentBooks(books);
  await segments.open();
  return Promise.all(segments.all().map(async ({ segment, group, n, k, shardBytes, holders }) => {
    const roots = (await segments.record(segment))?.roots.slice(0, n) ?? [];
    return { name: names.get(group) ?? "", group, k, n, shardBytes, roots, holders };
  }));
}

/** Who has which shard, by everybody's disks. */
export async function holdersByShard(
  towns: Towns, dwellers: readonly Dweller[],
): Promise<ReadonlyMap<string, readonly Dweller[]>> {
  const holders = new Map<string, Dweller[]>();
  for (const dweller of dwellers) {
    for (const shard of await shardsOnDisk(towns.plan, dweller)) {
      holders.set(shard, [...(holders.get(shard) ?? []), dweller]);
    }
  }
  return holders;
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
