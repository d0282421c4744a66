/** Clocks that are set wrong for a while, and connections that break at the wrong moment. */
import type { Connection } from "@libp2p/interface";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Offer } from "../../src/base/records.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { certifier } from "../../src/crypt/records/certificates.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { Book } from "../../src/peers/acquaintance/book.ts";
import { Link } from "../../src/peers/asking/link.ts";
import { encodeHello, encodeList, parseHello } from "../../src/peers/wire/message.ts";
import { faultOf } from "../support/faults.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { ShiftedClock } from "../support/transfer-world.ts";

const self = loopbackKeys("self").peer;
const yearMs = 365 * 24 * 3_600_000;

test("a clock that is a year off costs a node none of the peers it met", async (t) => {
  for (const offMs of [-yearMs, yearMs]) {
    const clock = new ShiftedClock();
    const books = new MemoryKeyValue();
    const needs = { clock, books, random: seededRandom(1), log: silentLog };
    const before = new Book(needs, { self });
    const [friend, rumour] = [offerOf("friend"), offerOf("rumour")];
    before.accept(friend);
    before.accept(rumour);
    before.met(friend.peer);
    before.lost(friend.peer);
    await before.flush();

    clock.shiftMs = offMs;
    const during = new Book(needs, { self });
    await during.load();
    during.failed(friend.peer);
    await during.flush();
    t.ok(during.offerOf(friend.peer), "it can still be dialled");
    clock.shiftMs = 0;
    t.ok(during.dueDials(9).includes(friend.peer), "and is, when the clock is right again");
    const after = new Book(needs, { self });
    await after.load();
    t.ok(after.offerOf(friend.peer), "and is not forgotten on the disk");
  }
});

test("hearsay that is too old is forgotten", async (t) => {
  const clock = new ShiftedClock();
  const books = new MemoryKeyValue();
  const book = new Book({ clock, books, random: seededRandom(1), log: silentLog }, { self });
  const rumour = offerOf("rumour");
  book.accept(rumour);
  await book.flush();
  clock.shiftMs = yearMs;
  await book.flush();
  t.equal(book.offerOf(rumour.peer), undefined);
  t.notOk(book.accept(rumour), "and is not believed again");
});

test("a certificate of a wrong future is signed anew", (t) => {
  const clock = new ShiftedClock();
  const certificates = certifier(driveKeysOf(Buffer.alloc(32, 1)), { peer: self, name: "me" }, clock);
  clock.shiftMs = 12 * 24 * 3_600_000;
  const [ahead] = certificates();
  clock.shiftMs = 0;
  const [now] = certificates();
  t.ok((ahead?.issuedAtMs ?? 0) > clock.now());
  t.ok((now?.issuedAtMs ?? Infinity) <= clock.now());
  t.equal(certificates()[0], now, "and then kept");
  t.end();
});

test("a connection that breaks before the greeting is a fault, and no bug of ours", async (t) => {
  const connection = { newStream: async () => { throw new Error("muxer closed"); } };
  const link = new Link({
    clock: systemClock, meter: { sentBytes: 0, receivedBytes: 0 },
    connect: async () => connection as unknown as Connection,
    greeting: () => ({ version: "1", payload: encodeHello([]) }),
    onGreeted: () => {}, onRoundTrip: () => {},
  });
  t.equal(await faultOf(link.greet()), "Unavailable");
  const closing = AbortSignal.abort(new HiveError("Unavailable", "peers.close", "closing"));
  t.equal(await faultOf(link.greet(closing)), "Unavailable", "nor while the node closes");
});

test("a greeting too long for its certificates is not even decoded", async (t) => {
  const many = encodeList(Array.from({ length: 200_000 }, () => Buffer.alloc(1)));
  t.throws(() => parseHello(many), /greeting/);
  t.strictSame(parseHello(encodeHello([])), {
    certificates: [], offer: undefined, pass: undefined,
  });
});

function offerOf(name: string): Offer {
  const claims = { household: name, country: "CH", addresses: ["/ip4/127.0.0.1/tcp/1"] };
  const space = { quotaBytes: 1, freeBytes: 1 };
  return signOffer(loopbackKeys(name), { atMs: systemClock.now(), ...claims, ...space });
}
