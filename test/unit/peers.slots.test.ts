/**
 * Slots and the records that a node keeps for the DHT: pure, with a clock and strangers of its own.
 */
import { Libp2pRecord } from "@libp2p/record";
import { Key } from "interface-datastore";
import { base32 } from "multiformats/bases/base32";
import { test } from "tap";
import { parseGroupId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Offer, erasureClasses } from "../../src/base/records.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signDeviceCertificate, signHead, signManifest, signOffer }
  from "../../src/crypt/records/records.ts";
import type { Stranger } from "../../src/peers/answering/strangers.ts";
import { believe, groupKey, headKey, offerKey, selectRecord } from "../../src/peers/dht/dht-records.ts";
import { DhtStore } from "../../src/peers/dht/dht-store.ts";
import { type Slot, belongs, encodeSlot, narrower, parseSlot, parseSlotKey, slotDepths, slotKey,
  slotOf } from "../../src/peers/dht/slots.ts";
import { faultOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`peers.slots/${seed}`);
const startMs = 1_700_000_000_000;
const world: Slot = { place: "--", bits: "" };

function offerOf(keys: PeerKeys, told: { atMs?: number; country?: string } = {}): Offer {
  return signOffer(keys, {
    atMs: told.atMs ?? startMs, household: "x", country: told.country ?? "CH",
    addresses: ["/ip4/192.0.2.1/tcp/1"], quotaBytes: 1, freeBytes: 1,
  });
}

const newKeys = () => peerKeysOf(random.bytes(32));

/** A store as the DHT sees it, with a stranger and a time that the test sets. */
class Kept {
  ms = startMs;
  stranger: Stranger | undefined;
  readonly store = new DhtStore({ clock: { now: () => this.ms }, stranger: () => this.stranger });

  put(key: Uint8Array | string, value: Uint8Array, stranger?: Stranger): void {
    const name = Buffer.from(key);
    this.stranger = stranger;
    const stored = new Libp2pRecord(name, value, new Date(0)).serialize();
    this.store.put(new Key(`/dht/record/${base32.baseEncode(name)}`, false), stored);
  }

  get(key: Uint8Array | string): Buffer | undefined {
    const name = new Key(`/dht/record/${base32.baseEncode(Buffer.from(key))}`, false);
    if (!this.store.has(name)) return undefined;
    return Buffer.from(Libp2pRecord.deserialize(this.store.get(name)).value);
  }

  slot(slot: Slot): readonly Offer[] {
    const value = this.get(slotKey(slot));
    return value === undefined ? [] : parseSlot(slot, value);
  }
}

test(`a peer is in one slot of each depth, and in those of no other place (HIVE_SEED=${seed})`, (t) => {
  for (let round = 0; round < 50; round++) {
    const keys = newKeys();
    const offer = offerOf(keys);
    let slot = world;
    for (const depth of slotDepths.keys()) {
      const own = slotOf(keys.peer, { place: "--", depth });
      t.ok(belongs(offer, own));
      t.strictSame(parseSlotKey(slotKey(own)), own);
      if (depth === 0) continue;
      const inside = narrower(slot).filter((one) => belongs(offer, one));
      t.strictSame(inside, [own], "exactly one of the narrower ones");
      slot = own;
    }
    t.strictSame(narrower(slot), []);
    t.notOk(belongs(offer, { place: "DE", bits: "" }));
  }
  for (const text of ["/hive/slot/1/CH/01", "/hive/slot/2/CH/", "/hive/slot/1/CHE/", "/hive/slot/1/ch/",
    "/hive/slot/1/CH/0101/x", "/hive/slot/1/CH/012a", ""]) {
    t.equal(parseSlotKey(text), undefined, text);
  }
  t.end();
});

test("a slot takes offers that belong there, signed and each once", async (t) => {
  const [one, two] = [newKeys(), newKeys()];
  const key = Buffer.from(slotKey({ place: "CH", bits: "" }));
  believe(key, encodeSlot([offerOf(one), offerOf(two)]));
  const wrong: readonly (readonly [string, readonly Offer[]])[] = [
    ["none", []],
    ["one twice", [offerOf(one), offerOf(one, { atMs: startMs + 1 })]],
    ["another country's", [offerOf(one, { country: "DE" })]],
    ["too many", Array.from({ length: limits.dht.slotOffersMax + 1 }, () => offerOf(newKeys()))],
  ];
  for (const [name, offers] of wrong) {
    t.equal(await faultOf(() => believe(key, encodeSlot(offers))), "Corrupt", name);
  }
  const narrow = Buffer.from(slotKey(slotOf(one.peer, { place: "--", depth: 3 })));
  t.equal(await faultOf(() => believe(narrow, encodeSlot([offerOf(two)]))), "Corrupt");
  t.equal(await faultOf(() => believe(offerKey(two.peer), offerOf(one).bytes)), "Corrupt");
  const values = [encodeSlot([offerOf(one)]), encodeSlot([offerOf(one), offerOf(two)])];
  t.equal(selectRecord(key, values), 1, "of two slots the one that tells more");
});

test("an old head that somebody sends again does not push out the newer one", (t) => {
  const kept = new Kept();
  const drive = driveKeysOf(random.bytes(32));
  const head = (sequence: number) => signHead(drive, {
    peer: newKeys().peer, sequence, publishedAtMs: 1, sealed: Buffer.from("x"),
  }).bytes;
  const [old, next] = [head(1), head(2)];
  kept.put(headKey(drive.owner), old);
  kept.put(headKey(drive.owner), next);
  kept.put(headKey(drive.owner), old, { peer: newKeys().peer, prefix: undefined });
  t.ok(kept.get(headKey(drive.owner))?.equals(next));
  kept.put(headKey(drive.owner), random.bytes(100));
  kept.put("/hive/other/x", next);
  kept.put("/pk/x", next);
  t.ok(kept.get(headKey(drive.owner))?.equals(next), "nor do bytes of chance");
  t.equal(kept.get("/hive/other/x"), undefined);
  kept.ms += limits.dht.recordAgeMsMax + 1;
  t.equal(kept.get(headKey(drive.owner)), undefined, "nobody has sent it for a month");
  t.equal(kept.store.bytes, 0);
  t.end();
});

test("a device that was shut out does not hide the drive's head or groups by a higher number", (t) => {
  const drive = driveKeysOf(random.bytes(32));
  const device = newKeys();
  const certificate = signDeviceCertificate(drive, {
    peer: device.peer, name: "lost", issuedAtMs: 1, expiresAtMs: limits.records.timeMsMax,
  });
  const group = parseGroupId("ab".repeat(16));
  const smallest = erasureClasses[0]!;
  type Signer = Parameters<typeof signHead>[0];
  const signed: readonly [Uint8Array, (by: Signer, number: number) => Uint8Array][] = [
    [headKey(drive.owner), (by, sequence) => signHead(by, {
      peer: device.peer, sequence, publishedAtMs: 1, sealed: Buffer.from("x"),
    }).bytes],
    [groupKey(drive.owner, group), (by, epoch) => signManifest(by, {
      group, epoch, class: smallest, policyHash: "00".repeat(32),
      peers: Array.from({ length: smallest.n }, () => newKeys().peer),
    }).bytes],
  ];
  const signer = { owner: drive.owner, sign: device.sign, certificate };
  for (const [key, sign] of signed) {
    const kept = new Kept();
    const [early, lost] = [sign(signer, 1), sign(signer, limits.records.deviceEpochMax)];
    const own = sign(drive, 7);
    for (const one of [early, lost, own, lost, early]) kept.put(key, one);
    t.ok(kept.get(key)?.equals(own));
    t.strictSame([selectRecord(key, [lost, own]), selectRecord(key, [early, lost])], [1, 1]);
    kept.ms += limits.dht.recordAgeMsMax + 1;
    kept.put(key, early);
    t.ok(kept.get(key)?.equals(early), "where the owner says nothing, a device's is better than none");
  }
  t.end();
});

test("whoever sends another's record again does not push it out with his own", (t) => {
  const kept = new Kept();
  const headOf = (maker: PeerKeys) => {
    const drive = driveKeysOf(random.bytes(32));
    const { bytes } = signHead(drive, {
      peer: maker.peer, sequence: 1, publishedAtMs: 1, sealed: Buffer.from("x"),
    });
    return { key: headKey(drive.owner), bytes };
  };
  const strangerOf = ({ peer }: PeerKeys): Stranger => ({ peer, prefix: `prefix of ${peer}` });
  const [victim, evil] = [newKeys(), newKeys()];
  const { key, bytes } = headOf(victim);
  kept.put(key, bytes, strangerOf(victim));
  kept.put(key, bytes, strangerOf(evil));
  const flood = (): void => {
    for (let at = 0; at < limits.dht.recordsPerPeerMax; at++) {
      const own = headOf(evil);
      kept.put(own.key, own.bytes, strangerOf(evil));
    }
  };
  flood();
  t.ok(kept.get(key)?.equals(bytes));
  const other = headOf(victim);
  kept.put(other.key, other.bytes, strangerOf(evil));
  kept.put(other.key, other.bytes, strangerOf(victim));
  flood();
  t.ok(kept.get(other.key)?.equals(other.bytes), "nor by being the first to send it");
  t.end();
});

test("into a slot a peer puts its own offer, whatever else it sends", (t) => {
  const kept = new Kept();
  const [one, two, three] = [newKeys(), newKeys(), newKeys()];
  kept.put(slotKey(world), encodeSlot([offerOf(one), offerOf(two)]), {
    peer: one.peer, prefix: "192.0.2.0/24",
  });
  t.strictSame(kept.slot(world).map(({ peer }) => peer), [one.peer]);
  kept.put(slotKey(world), encodeSlot([offerOf(three)]), { peer: two.peer, prefix: undefined });
  t.strictSame(kept.slot(world).map(({ peer }) => peer), [one.peer]);
  const newer = offerOf(one, { atMs: startMs + 1000 });
  kept.put(slotKey(world), encodeSlot([newer]), { peer: one.peer, prefix: "192.0.2.0/24" });
  kept.put(slotKey(world), encodeSlot([offerOf(one)]), { peer: one.peer, prefix: undefined });
  t.strictSame(kept.slot(world).map(({ atMs }) => atMs), [newer.atMs], "and the newest stays");
  kept.ms += limits.dht.slotAgeMsMax + 2000;
  t.strictSame(kept.slot(world), [], "until it is old");
  t.end();
});

test("a flood of made-up peers neither fills a slot from one place nor pushes others out", (t) => {
  const kept = new Kept();
  const early = newKeys();
  kept.put(slotKey(world), encodeSlot([offerOf(early)]), { peer: early.peer, prefix: "192.0.2.0/24" });
  const flood = (prefix: string) => {
    for (let count = 0; count < 60; count++) {
      const keys = newKeys();
      kept.put(slotKey(world), encodeSlot([offerOf(keys)]), { peer: keys.peer, prefix });
    }
  };
  flood("198.51.100.0/24");
  t.equal(kept.slot(world).length, 1 + limits.dht.slotOffersPerPrefixMax);
  for (let place = 0; place < 20; place++) flood(`203.0.${place}.0/24`);
  t.equal(kept.slot(world).length, limits.dht.slotOffersMax);
  t.ok(kept.slot(world).some(({ peer }) => peer === early.peer), "who was there stays");
  t.end();
});

test("what one peer and one prefix put here is bounded and makes room among itself", (t) => {
  const kept = new Kept();
  const honest = driveKeysOf(random.bytes(32));
  const put = (stranger: Stranger) => {
    const drive = driveKeysOf(random.bytes(32));
    kept.put(headKey(drive.owner), signHead(drive, {
      peer: stranger.peer, sequence: 1, publishedAtMs: 1, sealed: Buffer.from("x"),
    }).bytes, stranger);
    return drive.owner;
  };
  kept.put(headKey(honest.owner), signHead(honest, {
    peer: newKeys().peer, sequence: 1, publishedAtMs: 1, sealed: Buffer.from("x"),
  }).bytes, { peer: newKeys().peer, prefix: "192.0.2.0/24" });
  const peer = newKeys().peer;
  const { recordsPerPeerMax, recordsPerPrefixMax } = limits.dht;
  const puts = Array.from({ length: recordsPerPeerMax + 20 }, () => {
    return put({ peer, prefix: "198.51.100.0/24" });
  });
  const here = puts.filter((owner) => kept.get(headKey(owner)) !== undefined);
  t.equal(here.length, recordsPerPeerMax);
  t.notOk(here.includes(puts[0] as never), "its first ones went");
  const more = Array.from({ length: recordsPerPrefixMax }, () => {
    return put({ peer: newKeys().peer, prefix: "198.51.100.0/24" });
  });
  const all = [...puts, ...more].filter((owner) => kept.get(headKey(owner)) !== undefined);
  t.equal(all.length, recordsPerPrefixMax);
  t.ok(kept.get(headKey(honest.owner)), "another's record is here");
  t.end();
});
