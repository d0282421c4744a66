/**
 * How long a large drive's repair is planned, and how long others wait for the thread meanwhile:
 * `node test/bench/planning.ts [SEGMENTS]`. Of class standard: all whole, and all at the threshold.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { type Placed, Planning } from "../../src/agent/mending/plan.ts";
import { type PeerId, parseGroupId, parseSegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Manifest, erasureClasses } from "../../src/base/records.ts";
import { inSlices } from "../../src/base/slices.ts";

const count = Number(process.argv[2] ?? 100_000);
const found = erasureClasses.find(({ name }) => name === "standard");
if (found === undefined) throw new Error("no class standard");
const { k, n, r } = found;
const group = parseGroupId("ab".repeat(16));
const peerAt = (at: number): PeerId => `12D3KooW${String(at).padStart(44, "0")}` as PeerId;
const manifest: Manifest = {
  owner: "ab".repeat(32) as Manifest["owner"], group, epoch: 1, class: found, policyHash: "",
  peers: Array.from({ length: n }, (_, at) => peerAt(at)), bytes: new Uint8Array(),
};
// Names as books have them: equal to the manifest's, and not the same strings.
const holders = Array.from({ length: n }, (_, at) => Buffer.from(peerAt(at)).toString() as PeerId);
const segments = Array.from({ length: count }, (_, at): Placed => {
  const [segment, rotation] = [parseSegmentId(at.toString(16).padStart(64, "0")), at % n];
  return {
    segment, group, k, n, rotation,
    holders: holders.map((_, index) => holders[(index + rotation) % n]),
  };
});

for (const dead of [0, n - r]) {
  const lost = new Set(manifest.peers.slice(0, dead));
  // Their seats went to others, who have nothing yet: everything is due.
  const due = segments.map((one) => (dead === 0 ? one : { ...one, holders: gone(one, lost) }));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await setTimeout(50);
  delay.reset();
  const startMs = performance.now();
  const planning = new Planning({
    manifests: [manifest], isUnfit: () => false, isFresh: () => false, isOnline: () => true,
    isBarred: () => false, isPatient: true,
  });
  await inSlices(due, limits.agent.segmentsPerSlice, (state) => planning.look(state));
  const { left } = planning.plan();
  const tookMs = performance.now() - startMs;
  await setTimeout(5);
  delay.disable();
  const waitedMs = (delay.max / 1e6).toFixed(0);
  process.stdout.write(`${count} segments, ${left.shards} shards to bring: ` +
    `${tookMs.toFixed(0)} ms, others wait ${waitedMs} ms at most\n`);
}

function gone(state: Placed, lost: ReadonlySet<PeerId>): Placed["holders"] {
  return state.holders.map((holder) => (lost.has(holder as PeerId) ? undefined : holder));
}
