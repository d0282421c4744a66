/** What `hive policy explain` is told: counted over the peers that are online, with round trips. */
import { test } from "tap";
import { policyReportOf } from "../../src/agent/telling/explain.ts";
import { parseGroupId, parseOwnerId } from "../../src/base/ids.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../src/base/records.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import { nowMs, peerOf, randomFacts } from "../support/policies.ts";

/** Twelve in Germany, each further away than the one before; the last two are offline. */
const known: readonly KnownPeer[] = Array.from({ length: 12 }, (_, at) => {
  const told = { household: `house ${at}`, country: "DE" };
  const { offer } = randomFacts(seededRandom("explain"), at, told);
  return { offer, online: at < 10, roundTripMs: 10 * at, lastSeenMs: nowMs };
});

const near = "policy near { require rtt(me) <= 55ms; unsatisfiable queue; }";

test("offline peers are counted and not drawn from", (t) => {
  const report = policyReportOf({ text: near, peer: null }, { known, groups: [], nowMs });
  t.strictSame(report.clauses, [
    { clause: "a known peer", left: 12 }, { clause: "online", left: 10 },
    { clause: "a fresh offer", left: 10 }, { clause: "free space", left: 10 },
    { clause: "require rtt(me) <= 55ms", left: 6 },
  ]);
  t.match(report, { name: "near", class: "tiny", unsatisfiable: "queue", peer: null });
  const far = "policy far { protect class small; require rtt(me) <= 55ms; }";
  t.equal(policyReportOf({ text: far, peer: null }, { known, groups: [], nowMs }).class, null);
  t.end();
});

test("a peer is chosen if it sits in a group of this policy, or would in one drawn now", (t) => {
  const stateOf = (at: number, groups: readonly Manifest[]) => {
    const asked = { text: near, peer: peerOf(at) };
    return policyReportOf(asked, { known, groups, nowMs }).peer?.state;
  };
  t.equal(stateOf(3, []), "chosen", "six seats for six peers");
  t.equal(stateOf(8, []), "refused");
  t.equal(stateOf(11, []), "unknown", "it is offline");
  const mirror = erasureClasses[0] as ErasureClass;
  const group: Manifest = {
    owner: parseOwnerId("ab".repeat(32)), group: parseGroupId("cd".repeat(16)), epoch: 1,
    class: mirror, policyHash: hashOfPolicy(parsePolicy(near).policy),
    peers: [peerOf(0), peerOf(1), peerOf(2)], bytes: new Uint8Array(),
  };
  t.equal(stateOf(2, [group]), "chosen");
  t.equal(stateOf(3, [group]), "not drawn");
  t.end();
});
