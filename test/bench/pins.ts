/**
 * What a look over all that is pinned costs: `node test/bench/pins.ts [FOLDERS FILES BYTES]`. A
 * tree over a real store, its root pinned; how long a judgement takes, and the longest turn of the
 * loop.
 */
import { GiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { fileIn, folderIn } from "../support/making.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

const [folders = 200, files = 500, bytes = 3000] = process.argv.slice(2).map(Number);
const treeSecret = Buffer.alloc(32, 3);

async function fill(tree: Tree): Promise<void> {
  const content = Buffer.alloc(bytes, 1);
  for (let folder = 0; folder < folders; folder++) {
    const parent = await folderIn(tree, rootIno, `folder ${folder}`);
    for (let file = 0; file < files; file++) {
      content.writeUInt32LE(folder * files + file);
      tree.forget(await fileIn(tree, parent, `file ${file}`, content), 1);
    }
  }
  await tree.commit();
}

await using cache = await temporaryCache({ limitBytes: 16 * GiB });
const pins = { store: cache.store.pins, mayKeep: async () => true };
const needs = { store: cache.store, clock: systemClock, random: systemRandom, log: silentLog, pins };
const tree = await openTree(needs, { treeSecret });
await fill(tree);
for (let round = 0; round < 3; round++) {
  await tree.pins?.set([], true);
  const startMs = performance.now();
  const before = process.cpuUsage();
  let longestMs = 0;
  let lastMs = startMs;
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs - 1);
    lastMs = performance.now();
  }, 1);
  await tree.pins?.step().step(new AbortController().signal);
  clearInterval(timer);
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({
    files: tree.pins?.status()?.files, tookMs: Math.round(performance.now() - startMs),
    processorMs: Math.round((user + system) / 1000), longestTurnMs: Math.round(longestMs),
  }));
}
await tree.close();
