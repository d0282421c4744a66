/** Entries, double records and messages of the ledger: the frozen bytes, and no others. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import type { SegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { newerOf, nextOf, replyTo } from "../../src/ledger/chain.ts";
import { type Counts, acceptAdmission, beforeFirst, fraudOf, hashOf, isDouble, parseAdmission,
  parseEntry, parseFraud, signAdmission } from "../../src/ledger/entry.ts";
import { encodeAnswer, encodeQuestion, parseAnswer, parseQuestion }
  from "../../src/ledger/message.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`ledger.entry/${seed}`);
const file = new URL("../vectors/ledger.json", import.meta.url);
const server = peerKeysOf(Buffer.alloc(32, 1));
const client = peerKeysOf(Buffer.alloc(32, 2));
const other = peerKeysOf(Buffer.alloc(32, 3));
const book = "0123456789abcdef";
const counts: Counts = { kept: 7_340_032, watched: 86_400, repaired: 1_052_672, sent: 9_000_000 };
const nowMs = 1_790_000_000_000;

const first = signAdmission(client, {
  server: server.peer, book, number: 1, last: beforeFirst, atMs: nowMs, ...counts,
});
const entry = acceptAdmission(server, first);
const second = signAdmission(client, nextOf(
  { server: server.peer, newest: entry, book, nowMs: nowMs + 3_600_000 },
  { kept: 1024.9, watched: 3600, repaired: 0, sent: 5 },
));
const forked = signAdmission(client, { ...first, kept: 1 });
const fraud = fraudOf(first, forked);
const shown = { newest: entry, entries: [entry], frauds: [fraud] };
const owed = { dueBytes: 4_000_000, coveredBytes: 1_000_000 };
const gone = { segment: "cd".repeat(32) as SegmentId, index: 7 };
const made = {
  admission: first.bytes, entry: entry.bytes, second: second.bytes, fraud: fraud.bytes,
  question: encodeQuestion({ ...shown, next: second }),
  answer: encodeAnswer({ ...shown, owed, gone: [gone] }),
  bareQuestion: encodeQuestion({ newest: undefined, entries: [], frauds: [], next: undefined }),
};

const parsers = {
  admission: parseAdmission, entry: parseEntry, second: parseAdmission, fraud: parseFraud,
  question: parseQuestion, answer: parseAnswer, bareQuestion: parseQuestion,
} satisfies Record<keyof typeof made, (bytes: Uint8Array) => unknown>;

test("entries and messages are written and read as they are frozen", (t) => {
  const hex = Object.fromEntries(Object.entries(made).map(([name, bytes]) =>
    [name, Buffer.from(bytes).toString("hex")]));
  const frozen = JSON.parse(readFileSync(file, "utf8")) as typeof hex;
  t.strictSame(hex, frozen);
  for (const [name, parse] of Object.entries(parsers)) {
    t.equal(outcomeOf(() => parse(Buffer.from(frozen[name]!, "hex"))), "ok", name);
  }
  t.strictSame(parseEntry(entry.bytes), entry);
  t.strictSame(parseAnswer(made.answer).owed, owed);
  t.strictSame(parseAnswer(made.answer).gone, [gone]);
  t.equal(parseQuestion(made.question).next?.number, 2);
  t.equal(second.last, hashOf(first), "each names the one before");
  t.equal(second.kept, counts.kept + 1024, "counts are sums, and whole");
  t.end();
});

test(`what is bent, cut or spliced is Corrupt (HIVE_SEED=${seed})`, (t) => {
  const wrong = Object.entries(parsers).flatMap(([name, parse]) => {
    const right = Buffer.from(made[name as keyof typeof made]);
    return Array.from({ length: 60 }, (_, round) => {
      const bent = Buffer.from(right);
      const at = random.below(bent.length);
      bent[at] = (bent[at] as number) ^ (1 + random.below(255));
      return outcomeOf(() => parse(round % 3 === 0 ? bent.subarray(0, at) : bent));
      // What an answer says is due is nobody's signed word: another number is another number.
    }).filter((kind) => kind !== "Corrupt" && !(name === "answer" && kind === "ok"))
      .map((kind) => `${name}: ${kind}`);
  });
  t.strictSame(wrong, []);
  t.end();
});

test("a double record is a proof of less than a KiB, and nothing else is one", (t) => {
  t.ok(fraud.bytes.length < limits.ledger.fraudBytesMax, `${fraud.bytes.length} bytes`);
  t.equal(parseFraud(fraud.bytes).peer, client.peer);
  t.notOk(isDouble(first, second), "two places");
  t.notOk(isDouble(first, first), "one word said twice");
  const later = signAdmission(client, { ...first, book: "ffffffffffffffff", kept: 1 });
  t.notOk(isDouble(first, later), "who lost his books began others: that is no lie");
  const elsewhere = signAdmission(client, { ...first, server: other.peer, kept: 1 });
  t.notOk(isDouble(first, elsewhere), "two pairs");
  t.equal(outcomeOf(() => fraudOf(first, second)), "Invalid");
  t.end();
});

test("nobody writes down what he has done himself", (t) => {
  const where = { self: server.peer, from: client.peer, nowMs };
  const own = signAdmission(server, { ...first, server: client.peer });
  t.equal(outcomeOf(() => replyTo(own, undefined, where)), "Denied", "its own merits");
  const others = signAdmission(other, first);
  t.equal(outcomeOf(() => replyTo(others, undefined, where)), "Denied", "another's words");
  t.equal(outcomeOf(() => acceptAdmission(other, first)), "Invalid", "another's signature");
  const raised = Buffer.from(first.bytes);
  raised.writeUInt8(raised[raised.length - 80]! ^ 1, raised.length - 80);
  t.equal(outcomeOf(() => parseAdmission(raised)), "Corrupt", "a count that was raised afterwards");
  t.end();
});

test("a server signs a place once, what follows alone, and no count that shrinks", (t) => {
  const where = { self: server.peer, from: client.peer, nowMs: nowMs + 3_600_000 };
  t.equal(replyTo(first, undefined, where).do, "accept");
  t.equal(replyTo(first, entry, where).do, "show", "a replay is answered, and changes nothing");
  t.equal(replyTo(second, entry, where).do, "accept");
  t.equal(replyTo(second, undefined, where).do, "show", "a server that has lost its books");
  t.equal(replyTo(forked, entry, where).do, "expose", "two words for one place");
  const less = signAdmission(client, { ...second, kept: second.kept - 1025 });
  t.equal(outcomeOf(() => replyTo(less, entry, where)), "Denied", "it shrinks");
  const skipped = signAdmission(client, { ...second, number: 3 });
  t.equal(replyTo(skipped, entry, where).do, "show", "a place left out");
  const torn = signAdmission(client, { ...second, last: hashOf(forked) });
  t.equal(replyTo(torn, entry, where).do, "show", "it follows on something else");
  const ahead = signAdmission(client, { ...second, atMs: nowMs * 2 });
  t.equal(outcomeOf(() => replyTo(ahead, entry, where)), "Denied", "from the future");
  t.equal(newerOf(acceptAdmission(server, second), entry).number, 2, "the old never wins");
  t.end();
});
