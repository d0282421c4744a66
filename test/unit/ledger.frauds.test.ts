/** Proofs of fraud are kept within a bound that made-up names cannot use up. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { LedgerBooks } from "../../src/ledger/books.ts";
import { type Admission, type Fraud, beforeFirst, fraudOf, noCounts, signAdmission }
  from "../../src/ledger/entry.ts";
import { acceptAdmission } from "../../src/ledger/entry.ts";
import { Known } from "../../src/ledger/known.ts";
import { MemoryBooks } from "../support/transfer-world.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const random = seededRandom("frauds");
const [self, cheat] = [peerKeysOf(random.bytes(32)), peerKeysOf(random.bytes(32))];

function admission(keys: PeerKeys, kept: number): Admission {
  const first = { server: self.peer, book: "00".repeat(8), number: 1, last: beforeFirst, atMs: 1 };
  return signAdmission(keys, { ...first, ...noCounts, kept });
}

function fraudBy(keys: PeerKeys): Fraud {
  return fraudOf(admission(keys, 1), admission(keys, 2));
}

test("who fills the list with made-up names hides nobody that is known here", async (t) => {
  const [store, clock] = [new MemoryBooks(), new VirtualClock()];
  const books = new LedgerBooks(store);
  const known = new Known({ self: self.peer, books, clock, log: silentLog });
  const { fraudsMax } = limits.ledger;
  for (let at = 0; at < fraudsMax; at++) {
    await books.batch(known.expose(fraudBy(peerKeysOf(random.bytes(32)))));
  }
  t.strictSame(known.expose(fraudBy(peerKeysOf(random.bytes(32)))), [], "one more is one too many");
  await books.batch(known.take(acceptAdmission(self, admission(cheat, 1))));
  await books.batch(known.expose(fraudBy(cheat)));
  t.ok(known.isFraud(cheat.peer), "who has an entry here is told of");
  t.equal(known.frauds().length, fraudsMax);
  const again = new Known({ self: self.peer, books, clock, log: silentLog });
  await again.open();
  t.strictSame([again.frauds().length, again.isFraud(cheat.peer)], [fraudsMax, true]);
});
