/**
 * What the owner is told: how safe each policy's data is, why a peer stands so, and what is
 * amiss.
 */
import { test } from "tap";
import { whyOf } from "../../src/agent/conduct/conduct-words.ts";
import type { PeerConduct } from "../../src/agent/conduct/conduct.ts";
import { alertsOf } from "../../src/agent/telling/alerts.ts";
import { Outlook } from "../../src/agent/telling/outlook.ts";
import { unplacedOf, waitingText } from "../../src/agent/telling/waiting-words.ts";
import { type PeerId, parseGroupId, parseSegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { lineLog } from "../../src/base/log.ts";
import { type Manifest, erasureClasses } from "../../src/base/records.ts";
import type { Alert } from "../../src/base/safety.ts";
import type { SegmentState } from "../../src/transfer/books.ts";
import { partsOf } from "../../src/transfer/status/parts.ts";
import { peerOf } from "../support/policies.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const tiny = erasureClasses[1]!;
const plain = parseGroupId("aa".repeat(16));
const photos = parseGroupId("bb".repeat(16));

function manifestOf(group: Manifest["group"], peers: readonly PeerId[]): Manifest {
  const owner = "00".repeat(32) as Manifest["owner"];
  return {
    owner, group, epoch: 1, class: tiny, policyHash: "00".repeat(32), peers, bytes: Buffer.alloc(0),
  };
}

const members = Array.from({ length: 6 }, (_, at) => peerOf(at));
const others = members.with(5, peerOf(9));
const manifests = new Map([
  [plain, manifestOf(plain, members)], [photos, manifestOf(photos, others)],
]);

function segment(at: number, group: Manifest["group"], told: Partial<SegmentState>): SegmentState {
  return {
    segment: parseSegmentId(String(at).padStart(64, "0")), group, k: 2, n: 6, shardBytes: 65_536,
    rotation: 0, placed: true, provenAtMs: 1000 + at, holders: members, ...told,
  };
}

function partsWithout(dead: readonly PeerId[]) {
  const segments = [
    segment(1, plain, {}), segment(2, plain, { holders: [undefined, ...members.slice(1)] }),
    segment(3, photos, { holders: others, provenAtMs: 0 }),
    segment(4, photos, { holders: members }),
  ];
  return partsOf(segments, {
    manifests, isLiving: (peer) => !dead.includes(peer), provenAtMs: (state) => state.provenAtMs,
    policyOf: (group) => (group === photos ? "photos" : null),
  });
}

test("each policy's data is counted by itself: its worst segment, its oldest proof", (t) => {
  const [whole, folder] = partsWithout([]);
  t.match(whole, {
    policy: null, class: "tiny", segments: 2, endangered: 0, lost: 0, survives: 3, provenAtMs: 1001,
    lacking: { shards: 1, segments: 1 },
  });
  t.match(folder, { policy: "photos", survives: 4, provenAtMs: 0 });
  t.match(folder?.lacking, { shards: 1, segments: 1 }, "one lies with who has lost the seat");
  t.match(partsWithout(members.slice(1, 3))[0], { endangered: 1, lost: 0, survives: 1 });
  const few = partsWithout(members.slice(0, 5));
  t.match(few[0], { endangered: 2, lost: 2, survives: 0 });
  t.strictSame(few[1]?.holders, new Set([peerOf(5), peerOf(9)]), "those who live");
  t.end();
});

test("there is an alert for each thing amiss, the worst first, and else none", (t) => {
  const calm = { parts: partsWithout([]), unplaced: [], stranded: 0, stuck: 0 };
  t.strictSame(alertsOf(calm), []);
  const all = alertsOf({
    parts: [...partsWithout(members.slice(0, 5)), ...partsWithout(members.slice(1, 3))],
    unplaced: [{ policy: "photos", why: "peers" }], stranded: 2, stuck: 1,
    removedAtMs: 1e12, isDoubted: true,
  });
  const kinds = all.map(({ kind, policy }) => `${kind} ${policy}`);
  t.strictSame(kinds, [
    "removed null", "lost null", "lost photos", "endangered null", "doubted null", "unplaced photos",
    "unheld null", "unlawful null",
  ]);
  t.match(all[0]?.text, /^this device was removed from its drive at 2001/);
  t.match(all[3]?.text, /^1 segment with fewer shards than repair should leave/);
  t.end();
});

test("where the spread lacks, and not the peers, the spread is named", (t) => {
  const clauses = [{ clause: "any offer", left: 6 }, { clause: "free space", left: 6 }];
  const bounds = [{ clause: "spread at least 3 country", left: 2, needed: 3 }];
  const waiting = { for: "peers", needed: 3, have: 6, clauses, bounds } as const;
  t.match(waitingText(waiting), /households: 2 of 3 by spread at least 3 country$/);
  t.equal(waitingText({ ...waiting, bounds: [] }), "peers of enough households");
  const few = { ...waiting, clauses: [clauses[0]!, { clause: "require country in [JP]", left: 1 }] };
  t.match(waitingText(few), /6 are online, 1 after require country in \[JP\]; 3 are needed$/);
  const lane = { pendingBlocks: 1, pendingBytes: 1, waiting };
  t.match(unplacedOf([{ ...lane, name: "photos" }]), [{ policy: "photos", why: /2 of 3/ }]);
  t.strictSame(unplacedOf([{ ...lane, name: "", waiting: undefined }]), []);
  t.end();
});

test("every standing of a peer is explained by what is remembered of it", (t) => {
  const hour = 3_600_000;
  const nowMs = 1000 * hour;
  const conduct: PeerConduct = {
    peer: peerOf(1), liveness: "alive", isRefusing: false, isTardy: false, isFresh: false,
    isFrozen: false,
    score: { right: 9, wrong: 0, late: 1, offline: 2, rightShare: 1 },
    sinceMs: 1, answeredAtMs: nowMs - 20_000, absencesMs: [hour, 5 * hour],
  };
  const why = (told: Partial<PeerConduct>, isLeaving = false): string =>
    whyOf({ ...conduct, ...told }, { nowMs, isLeaving });
  t.equal(why({}), "answered 20 s ago; of the last 12 questions 9 right, 1 late, 2 unanswered");
  const silent = { liveness: "away", answeredAtMs: nowMs - 3 * hour } as const;
  const past = "silent for 3 h; it came back from 2 absences, the longest of 5 h";
  t.equal(why(silent), `${past}; it is waited for`);
  t.equal(why({ ...silent, isFrozen: true }), `${past}; it is waited for, as others fell silent with it`);
  t.match(why({ ...silent, liveness: "dead" }), /more likely dead than away, it loses its seats$/);
  t.match(why({ ...silent, liveness: "dead", isFresh: true }), /if few others are left, or after 36 h/);
  t.match(why({ ...silent, answeredAtMs: undefined, absencesMs: [] }), /and never answered/);
  t.match(why({ isRefusing: true }), /given none of it back/);
  t.match(why({ isTardy: true }), /nothing in time for days/);
  t.match(why({ score: { ...conduct.score, wrong: limits.agent.wrongsMax } }), /answers were wrong/);
  t.match(why({}, true), /gave notice/);
  t.match(whyOf(undefined, { nowMs, isLeaving: false }), /^never asked/);
  t.end();
});

test("the log hears of an alert when it comes and when it is over; repair's end is told", async (t) => {
  const clock = new VirtualClock();
  const lines: string[] = [];
  let alerts: readonly Alert[] = [];
  let left = 100;
  const log = lineLog({ level: "info", write: (line) => lines.push(line) });
  const outlook = new Outlook({ clock, log, left: () => left, alerts: () => alerts });
  const look = async (): Promise<void> => {
    await clock.pass(limits.agent.outlookEveryMs);
    await outlook.step();
  };
  await look();
  t.equal(lines.length, 0);
  t.match(outlook.of({ shards: left, segments: 9 }), { shards: 100, leftMs: undefined });
  alerts = [{ kind: "lost", policy: null, text: "1 segment" }];
  left = 75;
  await look();
  await look();
  t.equal(lines.length, 1, "once");
  t.match(lines[0], /warn alert kind=lost policy=default/);
  const { leftMs = 0 } = outlook.of({ shards: left, segments: 9 });
  t.equal(leftMs, 6 * limits.agent.outlookEveryMs, "a quarter in two looks");
  alerts = [];
  await look();
  t.match(lines[1], /info alert.over kind=lost/);
});
