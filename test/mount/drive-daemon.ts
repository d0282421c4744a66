/**
 * A daemon around the real tree and the real store, for the tests that kill it, drop its cache and
 * mount it again: `drive-daemon.ts DIRECTORY STORE [LIMIT_MIB [FILES_KNOWN_MAX]]`. In place of
 * peers there is a folder beside the store to which blocks are uploaded, and from which evicted
 * ones are fetched.
 *
 * It says "serving" on stdout, then answers each line of stdin: `drop` forgets what was uploaded,
 * `commit` commits, `upload` uploads all, `hide` makes the folder of blocks answer nothing, `show`
 * ends that. The answer to a line is that line.
 */
import { mkdirSync } from "node:fs";
import { access, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startLoop } from "../../src/agent/loop.ts";
import type { BlockFetcher } from "../../src/base/blocks.ts";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock as clock } from "../../src/base/clock.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import type { Cid } from "../../src/base/ids.ts";
import { lineLog } from "../../src/base/log.ts";
import { growthStep } from "../../src/base/machine/memory.ts";
import { systemRandom as random } from "../../src/base/random.ts";
import type { Step } from "../../src/base/step.ts";
import { openCache } from "../../src/cache/cache.ts";
import { clearStaleMount, mount } from "../../src/mount/mount.ts";
import { openTree } from "../../src/tree/tree.ts";

const [, , directory = "", store = "", limitMiB = "256", known] = process.argv;
const far = join(store, "far");
mkdirSync(far, { recursive: true });
const log = lineLog({ level: "info", write: (line) => process.stderr.write(line) });

/** While set, whoever fetches waits for this, as for peers that accept and never answer. */
let hidden: PromiseWithResolvers<void> | undefined;

const fetcher: BlockFetcher = {
  async fetch(cid) {
    await hidden?.promise;
    return readFile(join(far, cid)).catch((cause: unknown) => {
      throw new HiveError("Unavailable", "far.fetch", cid, { cause });
    });
  },
};

const limits = { limitBytes: Number(limitMiB) * MiB };
const cache = await openCache({ directory: join(store, "cache"), clock, log, fetcher }, limits);
if (cache.report().rootLost) throw new Error("the store lost its root");
const treeSecret = Buffer.alloc(32, 7);
const tree = await openTree({ store: cache, clock, random, log }, { treeSecret, uid: 0, gid: 0 });

async function upload(): Promise<"busy" | "idle"> {
  const round = await cache.beginRound();
  if (round === undefined) return "idle";
  try {
    for (const { cid } of round.blocks) await keep(cid);
    await cache.endRound(round.root);
  } catch (error) {
    // A newer commit does without a block of this round: the next round is of that one.
    if (!isFault(error, "NotFound", "Stale")) throw error;
  }
  return "busy";
}

async function keep(cid: Cid): Promise<void> {
  const file = join(far, cid);
  const known = await access(file).then(() => true, () => false);
  if (!known) {
    await writeFile(`${file}.part`, await cache.read(cid));
    await rename(`${file}.part`, file);
  }
  await cache.placed([cid]);
}

let uploading: Promise<unknown> = Promise.resolve();
const oneUpload = (): Promise<"busy" | "idle"> => {
  const next = uploading.then(upload);
  uploading = next.catch(() => {});
  return next;
};
const uploader: Step = { name: "upload", step: oneUpload };

const steps = [tree.committer, tree.collector, cache.step, uploader, growthStep()];
const loop = startLoop(steps, { clock, log });
await clearStaleMount(directory);
const filesKnownMax = known === undefined ? {} : { filesKnownMax: Number(known) };
const mounted = await mount({ tree, log, clock, ...filesKnownMax }, {
  directory, driver: "kernel", allowOther: process.getuid?.() === 0, readOnly: false,
  fsName: "hive-test", devices: true, setUserId: true,
});
process.on("SIGTERM", () => void mounted.unmount({ lazy: true }));

const orders: Readonly<Record<string, () => unknown>> = {
  drop: () => cache.dropClean(),
  commit: () => tree.commit(),
  async upload() {
    await tree.commit();
    while ((await oneUpload()) === "busy");
  },
  hide: () => void (hidden ??= Promise.withResolvers()),
  show() {
    hidden?.resolve();
    hidden = undefined;
  },
};
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  await orders[line]?.();
  process.stdout.write(`${line}\n`);
});
lines.on("close", () => void mounted.unmount({ lazy: true }));

process.stdout.write("serving\n");
await mounted.ended;
await loop.stop();
await tree.close();
await cache.close();
process.exit(0);
