/** Adding a device by a code: who is let in, what it is given, and who gets nothing. */
import { test } from "tap";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { AddedView, DeviceNetwork } from "../../src/base/devices.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { addedDevice, driveKeysIn, encodeAddedDevice, keysOfAdded, parseAddedDevice }
  from "../../src/crypt/devices/added-device.ts";
import { encodeGift, encodeHello, makeCode, readCode } from "../../src/crypt/devices/pairing.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { parseHead, parseManifest, signDeviceCertificate, signHead, signManifest }
  from "../../src/crypt/records/records.ts";
import { signShare } from "../../src/crypt/records/share-records.ts";
import { Newcomer, admitByCode } from "../../src/node/pairing.ts";
import { faultOf } from "../support/faults.ts";

const random = seededRandom("pairing");
const seed = random.bytes(32);
const drive = driveKeysOf(seed);
const [desk, lap, thief] = [1, 2, 3].map(() => {
  const peerSeed = random.bytes(32);
  return { seed: peerSeed, ...peerKeysOf(peerSeed) };
}) as [Keys, Keys, Keys];
type Keys = ReturnType<typeof peerKeysOf> & { readonly seed: Buffer };

function requester(peer: PeerId) {
  return { peer, owners: [] };
}

/** Time that passes by looking at it. */
class HastyClock implements Clock {
  readonly after = systemClock.after;
  readonly nowNs = systemClock.nowNs;
  #ms = 0;
  now = (): number => 1e12 + this.#ms;
  monotonicMs = (): number => this.#ms;
  delay = async (ms: number): Promise<void> => void (this.#ms += ms);
}

/** `desk`, as it sees and asks whoever shows codes. */
function deskAmong(newcomers: ReadonlyMap<PeerId, Newcomer>, clock = new HastyClock()) {
  const asked: PeerId[] = [];
  const network: DeviceNetwork & { self: PeerId; peers(): readonly KnownPeer[] } = {
    self: desk.peer,
    peers: () => [...newcomers.keys()].map((peer) => ({ offer: { peer } }) as KnownPeer),
    device: async (to, act, payload) => {
      asked.push(to);
      return (newcomers.get(to) as Newcomer).device(requester(desk.peer), act, payload);
    },
  };
  const enrolled: AddedView[] = [];
  const enrol = async (device: AddedView) => void enrolled.push(device);
  const admit = (code: string) => admitByCode({ network, clock, seed, enrol }, code);
  return { asked, enrolled, admit };
}

function showing(keys: Keys, name: string, clock = new HastyClock()): Newcomer {
  return new Newcomer({ clock, random }, { peer: keys.peer, name });
}

test("whoever shows the code that is typed has the drive, with a key of its own", async (t) => {
  const [newcomer, other] = [showing(lap, "lap"), showing(thief, "lap")];
  const among = deskAmong(new Map([[thief.peer, other], [lap.peer, newcomer]]));
  const typed = newcomer.code.toLowerCase().replaceAll("-", " ");
  t.strictSame(await among.admit(typed), { peer: lap.peer, name: "lap" });
  t.strictSame(among.enrolled, [{ peer: lap.peer, name: "lap" }], "on the roll");
  t.ok(among.asked.every((peer) => peer === lap.peer), "nobody else was spoken to");

  const device = await newcomer.given();
  const keys = driveKeysIn({ driveSeed: undefined, device, peerSeed: lap.seed });
  if (keys === undefined) return t.fail("keys");
  t.equal(keys.owner, drive.owner);
  t.ok(keys.treeSecret.equals(drive.treeSecret) && keys.headKey.equals(drive.headKey));
  for (const secret of [seed, drive.shareSecret, drive.localKey]) {
    t.notOk(Buffer.from(device).includes(secret), "what it was not given");
  }
  const manifest = signManifest(keys, {
    group: "ab".repeat(16) as never, epoch: 1, class: erasureClasses[0]!, policyHash: "5a".repeat(32),
    peers: [desk.peer, lap.peer, thief.peer],
  });
  t.equal(parseManifest(manifest.bytes).by, lap.peer);
  t.equal(parseManifest(manifest.bytes).owner, drive.owner);
  const told = { sequence: 1, publishedAtMs: 1, sealed: random.bytes(40) };
  t.equal(parseHead(signHead(keys, { peer: lap.peer, ...told }).bytes).by, lap.peer);
  t.equal(await faultOf(() => parseHead(signHead(keys, { peer: desk.peer, ...told }).bytes)), "Corrupt",
    "it publishes no other device's head");
});

test("an added device lets nobody in, and signs no share", async (t) => {
  const keys = keysOfAdded(addedDevice(seed, { peer: lap.peer, name: "lap", nowMs: 1 }), lap);
  const told = { peer: thief.peer, name: "thief", issuedAtMs: 1, expiresAtMs: 2 };
  t.equal(await faultOf(() => signDeviceCertificate(keys, told)), "Invalid");
  const share = { share: "ab".repeat(16) as never, sequence: 1, publishedAtMs: 1, readers: [] };
  t.equal(await faultOf(() => signShare(keys, { ...share, sealed: random.bytes(9) })), "Invalid");
  // Nor by a certificate that somebody else's drive gave.
  const elsewhere = addedDevice(random.bytes(32), { peer: thief.peer, name: "t", nowMs: 1 });
  const forged = { ...drive, sign: thief.sign, certificate: elsewhere.certificate };
  const head = { peer: thief.peer, sequence: 9, publishedAtMs: 1, sealed: random.bytes(9) };
  t.equal(await faultOf(() => signHead(forged, head)), "Invalid");
  const mine = addedDevice(seed, { peer: lap.peer, name: "lap", nowMs: 1 });
  t.equal(await faultOf(() => keysOfAdded(parseAddedDevice(encodeAddedDevice(mine)), thief)), "Corrupt");
});

test("who stands between finds nobody to speak to, and is believed by nobody", async (t) => {
  const clock = new HastyClock();
  const newcomer = showing(lap, "lap", clock);
  // A thief who shows himself in its place cannot make the code fit his own key.
  const posing = showing(thief, "lap", clock);
  const among = deskAmong(new Map([[thief.peer, posing]]), clock);
  t.equal(await faultOf(() => among.admit(newcomer.code)), "NotFound");
  t.strictSame(among.asked, []);

  // One who says to be an old device has to know the secret, and may guess three times.
  const wrong = makeCode(lap.peer, random).key;
  const pair = { newcomer: lap.peer, old: thief.peer, owner: drive.owner };
  const gift = encodeGift(encodeAddedDevice(addedDevice(random.bytes(32), {
    peer: lap.peer, name: "lap", nowMs: 1,
  })));
  const say = (bytes: Uint8Array) => newcomer.device(requester(thief.peer), "pair", bytes);
  t.equal(await faultOf(() => say(gift)), "Denied");
  for (let tries = 0; tries < limits.devices.codeTriesMax; tries++) {
    t.equal(await faultOf(() => say(encodeHello(wrong, pair))), "Denied");
  }
  t.equal(await faultOf(() => newcomer.given()), "Denied");
  const { key } = readCode(newcomer.code);
  t.equal(await faultOf(() => say(encodeHello(key, pair))), "Denied", "the code is void");
});

test("a code is used once, binds both keys, and runs out", async (t) => {
  const clock = new HastyClock();
  const newcomer = showing(lap, "lap", clock);
  const { key, isOf } = readCode(newcomer.code);
  t.ok(isOf(lap.peer) && !isOf(thief.peer) && !isOf(desk.peer));
  const pair = { newcomer: lap.peer, old: desk.peer, owner: drive.owner };
  const from = (peer: PeerId, bytes: Uint8Array) => newcomer.device(requester(peer), "pair", bytes);
  t.equal(await faultOf(() => from(thief.peer, encodeHello(key, pair))), "Denied", "replayed by another");
  await from(desk.peer, encodeHello(key, pair));
  const again = encodeHello(key, { ...pair, old: thief.peer });
  t.equal(await faultOf(() => from(thief.peer, again)), "Denied", "it was used");
  const other = addedDevice(random.bytes(32), { peer: lap.peer, name: "lap", nowMs: 1 });
  const gift = from(desk.peer, encodeGift(encodeAddedDevice(other)));
  t.equal(await faultOf(() => gift), "Denied", "of another drive than it said");

  for (const typed of ["", "K7QF-2MPD", "K7QF-2MPD-9XWU", "a".repeat(99)]) {
    t.equal(await faultOf(() => readCode(typed)), "Usage", typed);
  }
});
