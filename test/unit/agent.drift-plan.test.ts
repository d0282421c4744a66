/**
 * The plan for a group that breaks its policy: whatever comes first, enough shards stay in reach.
 */
import { test } from "tap";
import { planDrift } from "../../src/agent/policy/drift.ts";
import { type PeerId, parseGroupId, parseSegmentId } from "../../src/base/ids.ts";
import { type Random, seededRandom, shuffled } from "../../src/base/random.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../src/base/records.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { type SegmentState, memberOf } from "../../src/transfer/books.ts";
import type { GroupDrift } from "../../src/transfer/groups/law.ts";
import { peerOf } from "../support/policies.ts";

const seeds = Number(process.env["HIVE_SEEDS"] ?? 400);
const first = Number(process.env["HIVE_SEED"] ?? 1);
const group = parseGroupId("ab".repeat(16));
const nobody = { isUnfit: () => false, isOverdue: () => false, isLeaving: () => false };

function driftOf(told: Partial<GroupDrift> & { readonly manifest: Manifest }): GroupDrift {
  return {
    policy: defaultPolicy, name: "", isSigned: true, isOfClass: true,
    broken: [], doubtful: [], unheard: [], ...told,
  };
}

function manifestOf(erasureClass: ErasureClass, peers: readonly PeerId[]): Manifest {
  const owner = "00".repeat(32) as Manifest["owner"];
  const policyHash = "00".repeat(32);
  return { owner, group, epoch: 1, class: erasureClass, policyHash, peers, bytes: Buffer.alloc(0) };
}

function segmentsOf({ peers, class: { k, n } }: Manifest, random: Random): SegmentState[] {
  return Array.from({ length: 1 + random.below(4) }, (_, at) => {
    const rotation = random.below(n);
    return {
      segment: parseSegmentId(String(at).padStart(64, "0")), group, k, n, shardBytes: 65_536,
      rotation, placed: true, provenAtMs: 0,
      holders: peers.map((_peer, index) => peers[(index + rotation) % n]),
    };
  });
}

/** How many shards of the worst segment lie with the very member that the manifest names. */
function leastInPlace(segments: readonly SegmentState[], manifest: Manifest): number {
  return Math.min(...segments.map((state) => {
    return state.holders.filter((holder, at) => holder === memberOf(state, at, manifest)).length;
  }));
}

test("however many break it, the manifest always leads to r shards of every segment", (t) => {
  for (let seed = first; seed < first + seeds; seed++) {
    const random = seededRandom(`plan ${seed}`);
    const replay = `replay: HIVE_SEEDS=1 HIVE_SEED=${seed} node test/unit/agent.drift-plan.test.ts`;
    const erasureClass = erasureClasses[random.below(5)] as ErasureClass;
    const { n, r } = erasureClass;
    let next = n;
    let manifest = manifestOf(erasureClass, Array.from({ length: n }, (_, at) => peerOf(at)));
    let segments = segmentsOf(manifest, random);
    const broken = new Set(manifest.peers.filter(() => random.below(3) > 0));
    let turns = 0;
    for (; turns < 500; turns++) {
      const still = manifest.peers.filter((peer) => broken.has(peer));
      const plan = planDrift(driftOf({ manifest, broken: still }), { segments, ...nobody });
      if (plan.act === "nothing") break;
      if (plan.act === "substitute") {
        const { lost } = plan;
        t.ok(lost.every((peer) => broken.has(peer)) && lost.length > 0, replay);
        const peers = manifest.peers.map((peer) => (lost.includes(peer) ? peerOf(next++) : peer));
        manifest = { ...manifest, epoch: manifest.epoch + 1, peers };
      } else if (plan.act !== "wait") t.fail(`${plan.act}; ${replay}`);
      t.ok(leastInPlace(segments, manifest) >= r, `turn ${turns}; ${replay}`);
      segments = segments.map((state) => mendSome(state, manifest, random));
    }
    t.notOk(manifest.peers.some((peer) => broken.has(peer)), replay);
    t.ok(turns < 500, `it comes to an end; ${replay}`);
  }
  t.end();
});

/** As repair does: a few shards that are not where they belong are brought there. */
function mendSome(state: SegmentState, manifest: Manifest, random: Random): SegmentState {
  const astray = state.holders.flatMap((holder, at) => {
    return holder === memberOf(state, at, manifest) ? [] : [at];
  });
  let { holders } = state;
  for (const at of shuffled(astray, random).slice(0, random.below(4))) {
    holders = holders.with(at, memberOf(state, at, manifest));
  }
  return { ...state, holders };
}

test("what is lawful is signed anew once, and only when nothing is in doubt", (t) => {
  const random = seededRandom("signing");
  const tiny = erasureClasses[1] as ErasureClass;
  const manifest = manifestOf(tiny, Array.from({ length: 6 }, (_, at) => peerOf(at)));
  const segments = segmentsOf(manifest, random);
  const plan = (told: Partial<GroupDrift>, how = nobody) => {
    return planDrift(driftOf({ manifest, ...told }), { segments, ...how }).act;
  };
  t.equal(plan({}), "nothing");
  t.equal(plan({ isSigned: false }), "resign");
  t.equal(plan({ isSigned: false, doubtful: [peerOf(1)] }), "nothing");
  t.equal(plan({ isSigned: false, unheard: [peerOf(1)] }), "nothing");
  t.equal(plan({ doubtful: [peerOf(1)] }, { ...nobody, isOverdue: () => true }), "substitute");
  t.equal(plan({ isOfClass: false }), "move");
  t.equal(plan({ isOfClass: false, broken: [peerOf(1)] }), "move");
  t.end();
});

test("a group without segments is forgotten when it is not of the policy, and else kept", (t) => {
  const tiny = erasureClasses[1] as ErasureClass;
  const manifest = manifestOf(tiny, Array.from({ length: 6 }, (_, at) => peerOf(at)));
  const plan = (told: Partial<GroupDrift>) => {
    return planDrift(driftOf({ manifest, ...told }), { segments: [], ...nobody }).act;
  };
  t.equal(plan({}), "nothing");
  t.equal(plan({ isSigned: false }), "forget");
  t.equal(plan({ broken: [peerOf(1)] }), "forget");
  t.end();
});
