/** The frozen bytes of what a group's members sign, say and keep while its owner is away. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { decodeOrder, encodeOrder } from "../../src/agent/leaving/leaving.ts";
import { signHead } from "../../src/crypt/records/records.ts";
import { decodeBallot, encodeBallot } from "../../src/guard/ballot-bytes.ts";
import { baseOf } from "../../src/guard/log.ts";
import { decodeNotice, decodePledgeAsk, decodePledged, decodeVoteAsk, decodeWord, encodeNotice,
  encodePledgeAsk, encodePledged, encodeVoteAsk, encodeWord } from "../../src/guard/messages.ts";
import { freshBallot } from "../../src/guard/voter.ts";
import { outcomeOf } from "../support/faults.ts";
import { TestGroup } from "../support/guard-group.ts";
import { parsers } from "../support/record-parsers.ts";

interface Vector {
  readonly what: string;
  readonly bytes: string;
  readonly expect: string;
}

const file = new URL("../vectors/guard.json", import.meta.url);
const group = new TestGroup("vectors");
const { standing } = group;
const entry = group.entry(standing, { seat: 2, peer: group.others[0]!.peer, term: 9 });
const leaver = group.entry(standing, {
  seat: 3, peer: group.others[0]!.peer, term: 9, why: "leaving",
});
const [pledge] = group.pledges(standing, 9);
const [second] = group.pledges(standing, 9, () => ({ term: 8, entry: entry.id }));
const accepted = group.accepted(standing, entry, 9);
const { owner, group: id } = standing.manifest;
const base = baseOf(standing.manifest);
const head = signHead(group.drive, {
  peer: group.others[1]!.peer, sequence: 7, publishedAtMs: 1e12, sealed: Buffer.alloc(40, 7),
});
const offers = group.known().slice(0, 1).map(({ offer }) => offer);

/** What each vector is of, made anew from the same keys, and read back. */
const made: Readonly<Record<string, readonly [Uint8Array, (bytes: Uint8Array) => Uint8Array]>> = {
  replacement: [entry.bytes, (bytes) => parsers["replacement"]!(bytes).bytes],
  pledge: [pledge!.bytes, (bytes) => parsers["pledge"]!(bytes).bytes],
  "pledge of one who voted": [second!.bytes, (bytes) => parsers["pledge"]!(bytes).bytes],
  "replacement of who leaves": [leaver.bytes, (bytes) => parsers["replacement"]!(bytes).bytes],
  "notice of all seats": [
    encodeNotice({ untilMs: 1e12, groups: undefined }), (bytes) => encodeNotice(decodeNotice(bytes)),
  ],
  "notice of some seats": [
    encodeNotice({ untilMs: 1e12, groups: [id] }), (bytes) => encodeNotice(decodeNotice(bytes)),
  ],
  "order to leave": [
    encodeOrder({ sinceMs: 1e12, shards: 300, bytes: 2 ** 40 }),
    (bytes) => encodeOrder(decodeOrder(bytes)),
  ],
  vote: [accepted.votes[0]!.bytes, (bytes) => parsers["vote"]!(bytes).bytes],
  word: [
    encodeWord({ ...standing, policy: Buffer.from("text"), head, log: [accepted] }),
    (bytes) => encodeWord(decodeWord(bytes)),
  ],
  "call for pledges": [
    encodePledgeAsk({ owner, group: id, base, position: 0, term: 9, seat: 2 }),
    (bytes) => encodePledgeAsk(decodePledgeAsk(bytes)),
  ],
  "pledge and offers": [
    encodePledged({ pledge: second!, entry, offers }),
    (bytes) => encodePledged(decodePledged(bytes)),
  ],
  "call for votes": [
    encodeVoteAsk({ entry, term: 9, pledges: [pledge!], offers }),
    (bytes) => encodeVoteAsk(decodeVoteAsk(bytes)),
  ],
  ballot: [
    encodeBallot({ ...freshBallot(base, 1), position: 2, pledged: 9, voted: { term: 8, entry } }),
    (bytes) => encodeBallot(decodeBallot(bytes)),
  ],
};

const vectors = JSON.parse(readFileSync(file, "utf8")) as readonly Vector[];

test("what members sign, say and keep are the frozen bytes, and read back", (t) => {
  for (const { what, bytes, expect } of vectors) {
    const [fresh, again] = made[what.split(":")[0] ?? ""]!;
    const frozen = Buffer.from(bytes, "hex");
    if (expect === "ok") {
      t.equal(Buffer.from(fresh).toString("hex"), bytes, what);
      t.ok(Buffer.from(again(frozen)).equals(frozen), what);
    } else t.equal(outcomeOf(() => again(frozen)), expect, what);
  }
  const kinds = new Set(vectors.filter(({ expect }) => expect === "ok").map(({ what }) => what));
  t.strictSame([...kinds].sort(), Object.keys(made).sort());
  t.end();
});
