/**
 * Every decoder of bytes that others send, in one table: valid messages are bent, cut, grown and
 * spliced, and bytes of chance are thrown in. Out comes a value or a fault that says so, within a
 * bounded time and a memory that the message's own length bounds. Whoever adds a decoder of what
 * a peer sends adds a line here.
 */
import { encode } from "@ipld/dag-cbor";
import { test } from "tap";
import { type Kind, isFault } from "../../src/base/errors.ts";
import type { Cid, GroupId, Ino, OwnerId, SegmentId, ShardId, ShareId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { merkleTreeOf } from "../../src/crypt/blocks/merkle.ts";
import { rootOf } from "../../src/crypt/blocks/merkle.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { addedDevice, encodeAddedDevice, keysOfAdded, parseAddedDevice }
  from "../../src/crypt/devices/added-device.ts";
import { dismissalIn, encodeDismissal, signDismissal } from "../../src/crypt/devices/dismissals.ts";
import { encodeAnswer as encodePaired, encodeGift, encodeHello as encodePairing, makeCode,
  openAnswer, parsePairing, readCode } from "../../src/crypt/devices/pairing.ts";
import { decodeRollAsk, encodeRollAsk, parseRoll } from "../../src/crypt/drive/device-roll.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { writeRightOf } from "../../src/crypt/drive/write-right.ts";
import { signDeletion } from "../../src/crypt/records/deletions.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { parseReading, signReading } from "../../src/crypt/records/readings.ts";
import { signDeviceCertificate, signHead, signManifest, signOffer, signReceipt, signRelease }
  from "../../src/crypt/records/records.ts";
import { signSegmentRecord } from "../../src/crypt/records/records.ts";
import { decodeShareAsk, decodeShareWrite, encodeShareAsk, encodeShareWrite, parseGrant,
  parseShare }
  from "../../src/crypt/records/share-records.ts";
import { baseOf } from "../../src/guard/log.ts";
import { decodeLog, decodeName, decodeNotice, decodePledgeAsk, decodePledged, decodeVoteAsk,
  decodeWord, encodeLog, encodeName, encodeNotice, encodePledgeAsk, encodePledged, encodeVoteAsk,
  encodeWord }
  from "../../src/guard/messages.ts";
import { acceptAdmission, beforeFirst, fraudOf, parseEntry, parseFraud, signAdmission }
  from "../../src/ledger/entry.ts";
import { encodeAnswer as encodeSettled, encodeQuestion, parseAnswer as parseSettled,
  parseQuestion } from "../../src/ledger/message.ts";
import { MuxDecoder, encodeMuxHead, muxFlags, muxTypes } from "../../src/peers/connection/mux-frame.ts";
import { believe, groupKey, headKey, offerKey } from "../../src/peers/dht/dht-records.ts";
import { encodeSlot, slotKey, slotOf } from "../../src/peers/dht/slots.ts";
import { FrameDecoder, encodeFrameStart } from "../../src/peers/wire/frame.ts";
import { encodeInvite, parseInvite, passOf } from "../../src/peers/wire/invite.ts";
import { encodeAnswer, encodeHello, encodeList, encodeOwnerRecords, encodeRequest, parseAnswer,
  parseHello, parseList, parseOwnerRecords, parseRequest } from "../../src/peers/wire/message.ts";
import { answerChallenge, leavesOf, verifyAnswer } from "../../src/proofs/answer.ts";
import { checkChallenge } from "../../src/proofs/challenge.ts";
import { decodeAdmitted, encodeAdmitted } from "../../src/sharing/guests/guest-devices.ts";
import { decodeInbox, encodeInbox } from "../../src/sharing/records/inbox-payload.ts";
import { linkNeedsPassphrase, linkText } from "../../src/sharing/records/link.ts";
import { decodeSharePayload, encodeSharePayload, grantText, parseGrantText }
  from "../../src/sharing/records/payload.ts";
import { encodePerson, parsePerson } from "../../src/sharing/records/person-text.ts";
import { decodeRoster, encodeRoster } from "../../src/sharing/records/roster.ts";
import { decodeTold, encodeTold } from "../../src/sharing/records/told.ts";
import { decodeForVerifiers, encodeForVerifiers } from "../../src/sharing/records/verifiers-payload.ts";
import { decodePage, decodePageBlock, decodePayload, encodePage, encodePageBlock, encodePayload }
  from "../../src/transfer/catalog/catalog-page.ts";
import { TestGroup } from "../support/guard-group.ts";
import { parsers as records } from "../support/record-parsers.ts";
import { ShareMaker } from "../support/share-maker.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const rounds = Number(process.env["HIVE_ROUNDS"] ?? 1500);
const replay = `replay: HIVE_SEED=${seed} node test/fuzz/decoders.test.ts`;
const random = seededRandom(`decoders/${seed}`);

/** No single message may keep the thread for longer, a busy machine and its collector included. */
const callMsMax = 400;
/** Objects a decoder may make of a message, beside a constant: a hundred bytes for each. */
const growth = { perByte: 24, bytes: 4 * 2 ** 20 };

interface Decoder {
  readonly name: string;
  readonly valid: readonly Uint8Array[];
  readonly decode: (bytes: Uint8Array) => unknown;
  /** How a wrong message is told; Corrupt unless said otherwise. */
  readonly kinds?: readonly Kind[];
  /** The longest message that ever gets to it; more is cut off before. */
  readonly bytesMax: number;
}

const hex = "5a".repeat(32);
const drive = driveKeysOf(random.bytes(32));
const peer = peerKeysOf(random.bytes(32));
const others = [1, 2].map((number) => peerKeysOf(Buffer.alloc(32, number)).peer);
const group = "ab".repeat(16) as GroupId;
const head = signHead(drive, {
  peer: peer.peer, sequence: 7, publishedAtMs: 1e12, sealed: random.bytes(300),
});
const manifest = signManifest(drive, {
  group, epoch: 3, class: erasureClasses[0]!, policyHash: hex, peers: [peer.peer, ...others],
});
const segment = signSegmentRecord(drive, {
  group, k: 1, n: 3, shardBytes: limits.segment.shardBytes[0], rotation: 1,
  roots: [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString("hex") as ShardId),
  createdAtMs: 1e12,
});
const offer = signOffer(peer, {
  atMs: 1e12, household: "attic", country: "CH", version: "0.1.0",
  addresses: ["/ip4/192.0.2.7/tcp/4001"], quotaBytes: 9, freeBytes: 3,
});
const certificate = signDeviceCertificate(drive, {
  peer: peer.peer, name: "laptop", issuedAtMs: 1e12, expiresAtMs: 2e12,
});
const added = addedDevice(random.bytes(32), { peer: peer.peer, name: "lap", nowMs: 1e12 });
const addedHead = signHead(keysOfAdded(added, peer), {
  peer: peer.peer, sequence: 7, publishedAtMs: 1e12, sealed: random.bytes(300),
});
const code = makeCode(peer.peer, random);
const pair = { newcomer: peer.peer, old: others[0]!, owner: drive.owner };
const deletion = signDeletion(peerKeysOf(random.bytes(32)), {
  owner: drive.owner, segment: segment.segment, releasedAtMs: 1e12, atMs: 1e12, index: 2,
});
const release = signRelease(drive, { segment: segment.segment, releasedAtMs: 1e12 });
const receipt = signReceipt(peer, {
  owner: drive.owner, segment: segment.segment, index: 2, shard: segment.roots[2]!, atMs: 1e12,
});
const shard = random.bytes(limits.segment.shardBytes[0]);
const shardId = rootOf(merkleTreeOf(shard)) as ShardId;
const challenge = {
  shard: shardId, nonce: random.bytes(limits.proofs.nonceBytes), leaves: [0, 3, 9],
};
const proof = await answerChallenge(challenge, peer.peer, leavesOf(shard));
const entry = {
  cid: hex as Cid, segment: segment.segment, group, offsetBytes: 12, lengthBytes: 3000,
};
const payload = encodePayload({
  root: random.bytes(90), manifests: [manifest.bytes], newest: [entry],
  runs: [{ entries: 5, depth: 1, place: entry }],
});
const standIn = encodePayload({
  root: random.bytes(90), manifests: [], newest: [], runs: [],
  standIn: { whole: random.bytes(90), held: [{ path: "/a", isOlder: true }], more: 3 },
});

const admission = signAdmission(peer, {
  server: others[0]!, book: "ab".repeat(8), number: 1, last: beforeFirst, atMs: 1e12,
  kept: 7, watched: 3600, repaired: 0, sent: 9,
});
const settled = acceptAdmission(peerKeysOf(Buffer.alloc(32, 1)), admission);
const fraud = fraudOf(admission, signAdmission(peer, { ...admission, kept: 8 }));
const shown = { newest: settled, entries: [settled], frauds: [fraud] };
const guarded = new TestGroup("fuzz");
const entrySeat = { seat: 0, peer: guarded.others[0]!.peer, term: 9 };
const replacement = guarded.entry(guarded.standing, entrySeat);
const pledges = guarded.pledges(guarded.standing, 9, () => ({ term: 8, entry: replacement.id }));
const accepted = guarded.accepted(guarded.standing, replacement, 9);
const word = { ...guarded.standing, policy: Buffer.from("hive-policy 1\n"), head, log: [accepted] };
const named = { owner: guarded.drive.owner, group };

const shares = new ShareMaker(random, { drive });
const guestRoster = new Map([
  [peer.peer, { atMs: 1_700_000_000_000, isIn: true }],
  [peerKeysOf(random.bytes(32)).peer, { atMs: 1_600_000_000_000, isIn: false }],
]);

const requests = [
  encodeRequest(1, { op: "hello" }),
  encodeRequest(2, { op: "offers", limit: 9 }),
  encodeRequest(3, { op: "cancel", target: 2 }),
  encodeRequest(4, { op: "store", record: segment.bytes, manifest: manifest.bytes, index: 2 }),
  encodeRequest(5, { op: "read", shard: shardId, offset: 4096, length: 70_000 }),
  encodeRequest(6, { op: "prove", ...challenge }),
  encodeRequest(7, { op: "putRecord", kind: "manifest" }),
  encodeRequest(8, { op: "records", owner: drive.owner }),
  encodeRequest(10, { op: "settle" }),
  encodeRequest(9, {
    op: "segments", owner: hex as OwnerId, after: hex as SegmentId, limit: 20,
  }),
  encodeRequest(10, { op: "guard", act: "pledge" }),
  encodeRequest(11, { op: "share", act: "get" }),
  encodeRequest(12, { op: "device", act: "pair" }),
  encodeRequest(12, { op: "device", act: "block" }),
];

const slot = Buffer.from(slotKey(slotOf(peer.peer, { place: "CH", depth: 2 })));
const { headBytesMax, payloadBytesMax } = limits.peers;
const blockBytesMax = limits.dag.blockBytesMax;

const decoders: readonly Decoder[] = [
  {
    name: "frame",
    valid: [Buffer.concat([encodeFrameStart(requests[3]!, 5), random.bytes(5)])],
    decode: (bytes) => {
      const decoder = new FrameDecoder();
      decoder.push(bytes);
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next());
    },
    bytesMax: payloadBytesMax,
  },
  {
    name: "frames of streams",
    valid: [Buffer.concat([
      encodeMuxHead({ type: muxTypes.data, flags: muxFlags.open, stream: 1, length: 300 }),
      random.bytes(300), encodeMuxHead({ type: muxTypes.window, flags: 0, stream: 1, length: 9 }),
    ])],
    decode: (bytes) => new MuxDecoder({ begins() {}, brings() {}, ends() {} }).push(bytes),
    bytesMax: payloadBytesMax,
  },
  { name: "request", valid: requests, decode: parseRequest, bytesMax: headBytesMax },
  {
    name: "answer", valid: [encodeAnswer(1, { ok: true }), encodeAnswer(2, { ok: false, kind: "Quota" })],
    decode: parseAnswer, bytesMax: headBytesMax,
  },
  {
    name: "list of offers", valid: [encodeList([offer.bytes, offer.bytes])],
    decode: (bytes) => parseList(bytes, limits.peers.offersSampleMax).map(records["offer"]!),
    bytesMax: payloadBytesMax,
  },
  {
    name: "list of segments", valid: [encodeList([segment.bytes])],
    decode: (bytes) => parseList(bytes, limits.peers.segmentsSampleMax).map(records["segment"]!),
    bytesMax: payloadBytesMax,
  },
  {
    name: "greeting", valid: [encodeHello([certificate.bytes], offer.bytes), encodeHello([]),
      encodeHello([], offer.bytes, passOf(random.bytes(64), 1e12))],
    decode: (bytes) => parseHello(bytes).certificates.map(records["certificate"]!),
    bytesMax: payloadBytesMax,
  },
  {
    name: "owner's records", valid: [encodeOwnerRecords(head.bytes, [manifest.bytes])],
    decode: (bytes) => parseOwnerRecords(bytes).manifests.map(records["manifest"]!),
    bytesMax: payloadBytesMax,
  },
  ...[
    offer, certificate, manifest, segment, head, release, receipt, replacement, pledges[0]!,
    accepted.votes[0]!, shares.record(3, [{ person: drive.owner }], undefined),
    shares.grant(personKeysOf(random.bytes(32))), deletion,
  ].map((record, at) => {
    const kind = Object.keys(records)[at] as string;
    return {
      name: `record ${kind}`, valid: [record.bytes], decode: records[kind]!,
      bytesMax: payloadBytesMax,
    };
  }),
  {
    name: "head of an added device", valid: [addedHead.bytes], decode: records["head"]!,
    bytesMax: payloadBytesMax,
  },
  {
    name: "added device", valid: [encodeAddedDevice(added)], decode: parseAddedDevice,
    bytesMax: payloadBytesMax,
  },
  {
    name: "word of a pairing", bytesMax: payloadBytesMax, decode: parsePairing,
    valid: [encodePairing(code.key, pair), encodeGift(encodeAddedDevice(added))],
  },
  {
    name: "answer of a pairing", bytesMax: payloadBytesMax, kinds: ["Corrupt", "Denied"],
    decode: (bytes) => openAnswer(code.key, pair, bytes),
    valid: [encodePaired(code.key, pair, "lap")],
  },
  {
    name: "code of a pairing", bytesMax: 2 ** 16, kinds: ["Usage"],
    decode: (bytes) => readCode(Buffer.from(bytes).toString("latin1")),
    valid: [Buffer.from(code.text)],
  },
  {
    name: "question for a share", bytesMax: payloadBytesMax, decode: decodeShareAsk,
    valid: [encodeShareAsk({ owner: drive.owner, share: shares.share, sequence: 9 })],
  },
  {
    name: "share with writers", bytesMax: payloadBytesMax, decode: parseShare,
    valid: [shares.record(3, [{ person: drive.owner }], undefined, [
      writeRightOf(random.bytes(32)),
    ]).bytes],
  },
  {
    name: "grant to write", bytesMax: payloadBytesMax, decode: parseGrant,
    valid: [shares.writeGrant(personKeysOf(random.bytes(32)), 5).bytes],
  },
  {
    name: "grant to an inbox", bytesMax: payloadBytesMax, decode: parseGrant,
    valid: [shares.inbox(personKeysOf(random.bytes(32)), 1, []).grant.bytes],
  },
  {
    name: "inbox", bytesMax: limits.records.headSealedBytesMax, decode: decodeInbox,
    valid: [encodeInbox([
      { share: shares.share, writes: false, secret: random.bytes(32), name: "photos" },
      { share: "ef".repeat(16) as ShareId, writes: true, secret: random.bytes(32), name: "w" },
    ])],
  },
  {
    name: "reading", bytesMax: limits.ties.valueBytesMax, decode: parseReading,
    valid: [signReading(drive, {
      person: drive.owner, owner: drive.owner, share: shares.share, from: drive.owner, peers: others,
      name: "photos", isThroughGroup: true, inboxNumber: 7, key: random.bytes(32),
    }).bytes],
  },
  {
    name: "dismissal", bytesMax: payloadBytesMax, decode: dismissalIn,
    valid: [encodeDismissal({
      owner: drive.owner,
      dismissal: signDismissal(drive, { peer: peer.peer, name: "lap", atMs: 1e12 }),
    })],
  },
  {
    name: "devices of a guest", bytesMax: limits.records.headSealedBytesMax, decode: decodeRoster,
    valid: [encodeRoster(guestRoster)],
  },
  {
    name: "devices of a guest, admitted", bytesMax: limits.ties.valueBytesMax,
    decode: decodeAdmitted, valid: [encodeAdmitted(9, guestRoster)],
  },
  {
    name: "grant to verify", bytesMax: payloadBytesMax, decode: parseGrant,
    valid: [shares.watch(personKeysOf(random.bytes(32)), 1, []).grant.bytes],
  },
  {
    name: "what a verifier is told", bytesMax: limits.records.headSealedBytesMax,
    decode: decodeForVerifiers,
    valid: [encodeForVerifiers([group, "ef".repeat(16) as GroupId])],
  },
  {
    name: "what a record says of its maker", bytesMax: limits.records.headSealedBytesMax,
    decode: decodeTold,
    valid: [encodeTold({
      knows: new Map([["ab".repeat(8), 9], ["cd".repeat(8), 2 ** 40]]), payload: random.bytes(20),
    })],
  },
  {
    name: "what a guest tells holders", bytesMax: payloadBytesMax,
    decode: (bytes) => parseShare(decodeShareWrite(bytes).record),
    valid: [encodeShareWrite({
      owner: drive.owner, record: shares.record(3, [{ person: drive.owner }], undefined).bytes,
    })],
  },
  {
    name: "share's payload", bytesMax: limits.records.headSealedBytesMax,
    decode: decodeSharePayload,
    valid: [encodeSharePayload({
      root: random.bytes(90), manifests: [manifest.bytes], newest: [entry], runs: [],
      ino: 7 as Ino, catalogKey: random.bytes(32),
    })],
  },
  {
    name: "string of a share", bytesMax: 2 ** 20, kinds: ["Invalid"],
    decode: (bytes) => parseGrantText(Buffer.from(bytes).toString("latin1")),
    valid: [Buffer.from(grantText(shares.grant(personKeysOf(random.bytes(32)))))],
  },
  {
    name: "link", bytesMax: 2 ** 20, kinds: ["Invalid"],
    decode: (bytes) => linkNeedsPassphrase(Buffer.from(bytes).toString("latin1")),
    valid: [Buffer.from(await linkText(
      { seed: random.bytes(32), grant: shares.grant(personKeysOf(random.bytes(32))) }, null, random,
    ))],
  },
  {
    name: "string of a person", bytesMax: 2 ** 20, kinds: ["Invalid"],
    decode: (bytes) => parsePerson(Buffer.from(bytes).toString("latin1")),
    valid: [Buffer.from(encodePerson({
      person: drive.owner, sealHash: random.bytes(32), peer: peer.peer,
      addresses: ["/ip4/192.0.2.7/tcp/4001"], name: "laptop",
    }))],
  },
  {
    name: "roll of devices", bytesMax: payloadBytesMax, decode: parseRoll,
    valid: [drive.signRoll!({
      sequence: 3, signedAtMs: 1e12, added: [{ peer: peer.peer, name: "lap" }],
      removed: [{ peer: others[0]!, atMs: 1e12 }],
    }, random).bytes],
  },
  {
    name: "question for a roll", bytesMax: payloadBytesMax, decode: decodeRollAsk,
    valid: [encodeRollAsk({ owner: drive.owner, known: random.bytes(32) })],
  },
  { name: "ledger entry", valid: [settled.bytes], decode: parseEntry, bytesMax: payloadBytesMax },
  { name: "double record", valid: [fraud.bytes], decode: parseFraud, bytesMax: payloadBytesMax },
  {
    name: "ledger's question", valid: [encodeQuestion({ ...shown, next: admission })],
    decode: parseQuestion, bytesMax: payloadBytesMax,
  },
  {
    name: "ledger's answer", valid: [encodeSettled({
      ...shown, owed: { dueBytes: 9, coveredBytes: 3 },
      gone: [{ segment: segment.segment, index: 2 }],
    })],
    decode: parseSettled, bytesMax: payloadBytesMax,
  },
  { name: "name of a group", valid: [encodeName(named)], decode: decodeName, bytesMax: payloadBytesMax },
  { name: "word of a group", valid: [encodeWord(word)], decode: decodeWord, bytesMax: payloadBytesMax },
  { name: "log of a group", valid: [encodeLog([accepted])], decode: decodeLog, bytesMax: payloadBytesMax },
  {
    name: "call for pledges", valid: [encodePledgeAsk({
      ...named, base: baseOf(guarded.standing.manifest), position: 0, term: 9, seat: 0,
    })],
    decode: decodePledgeAsk, bytesMax: payloadBytesMax,
  },
  {
    name: "notice of seats", valid: [
      encodeNotice({ untilMs: 1e12, groups: undefined }),
      encodeNotice({ untilMs: 0, groups: [named.group] }),
    ],
    decode: decodeNotice, bytesMax: payloadBytesMax,
  },
  {
    name: "pledge and offers",
    valid: [encodePledged({ pledge: pledges[0]!, entry: replacement, offers: [offer] })],
    decode: decodePledged, bytesMax: payloadBytesMax,
  },
  {
    name: "call for votes",
    valid: [encodeVoteAsk({ entry: replacement, term: 9, pledges, offers: [offer] })],
    decode: decodeVoteAsk, bytesMax: payloadBytesMax,
  },
  {
    name: "challenge",
    valid: [challenge, { ...challenge, hops: 7 }].map((one) => {
      return encodeRequest(6, { op: "prove", ...one });
    }),
    kinds: ["Corrupt", "Invalid"],
    decode: (bytes) => {
      const { request } = parseRequest(bytes);
      if (request.op === "prove") checkChallenge(request, shard.length);
    },
    bytesMax: headBytesMax,
  },
  {
    name: "proof", valid: [proof], bytesMax: payloadBytesMax,
    decode: (bytes) => verifyAnswer(challenge, { holder: peer.peer, shardBytes: shard.length }, bytes),
  },
  { name: "catalog page", valid: [encodePage([entry])], decode: decodePage, bytesMax: blockBytesMax },
  {
    name: "catalog block", valid: [encodePageBlock([entry])], decode: decodePageBlock,
    bytesMax: blockBytesMax,
  },
  {
    name: "head's payload", valid: [payload, standIn], decode: decodePayload,
    bytesMax: limits.records.headSealedBytesMax,
  },
  {
    name: "invite", valid: [Buffer.from(encodeInvite({
      peer: peer.peer, addresses: ["/ip4/192.0.2.7/tcp/4001"], name: "Ann",
    })), Buffer.from(encodeInvite({
      peer: peer.peer, addresses: ["/ip4/192.0.2.7/tcp/4001"], name: "Ann",
      pass: passOf(random.bytes(64), 1e12), networkKey: random.bytes(32),
    }))],
    decode: (bytes) => parseInvite(Buffer.from(bytes).toString("latin1")),
    kinds: ["Invalid"], bytesMax: 2 ** 20,
  },
  {
    name: "head in the DHT", valid: [head.bytes], bytesMax: payloadBytesMax,
    decode: (bytes) => believe(headKey(drive.owner), bytes),
  },
  {
    name: "manifest in the DHT", valid: [manifest.bytes], bytesMax: payloadBytesMax,
    decode: (bytes) => believe(groupKey(drive.owner, group), bytes),
  },
  {
    name: "offer in the DHT", valid: [offer.bytes], bytesMax: payloadBytesMax,
    decode: (bytes) => believe(offerKey(peer.peer), bytes),
  },
  {
    name: "slot in the DHT", valid: [encodeSlot([offer])], bytesMax: payloadBytesMax,
    decode: (bytes) => believe(slot, bytes),
  },
  {
    name: "key of a slot", valid: [slot], bytesMax: 2 ** 16,
    decode: (bytes) => believe(bytes, encodeSlot([offer])),
  },
  {
    name: "key in the DHT", valid: [headKey(drive.owner), groupKey(drive.owner, group)],
    decode: (bytes) => believe(bytes, head.bytes), bytesMax: 2 ** 16,
  },
];

for (const decoder of decoders) {
  test(`${decoder.name}: what is right is taken, and what is bent is a fault in time`, (t) => {
    for (const valid of decoder.valid.slice(0, 1)) {
      t.doesNotThrow(() => decoder.decode(valid), "right");
    }
    const worst = { ms: 0, faults: 0 };
    for (let round = 0; round < rounds; round++) {
      const bytes = round % 8 === 7 ? chance(decoder) : bent(decoder.valid);
      const spent = outcome(decoder, bytes);
      worst.ms = Math.max(worst.ms, spent.ms);
      if (spent.fault) worst.faults++;
      if (spent.wrong !== undefined) t.fail(`${spent.wrong}: ${bytes.toString("hex")}; ${replay}`);
    }
    t.ok(worst.ms < callMsMax, `at most ${worst.ms.toFixed(1)} ms, ${worst.faults} faults`);
    t.end();
  });

  test(`${decoder.name}: the worst of its length takes no more than its share`, (t) => {
    for (const [name, bytes] of bombs(decoder.bytesMax)) {
      const before = process.memoryUsage();
      const spent = outcome(decoder, bytes);
      const after = process.memoryUsage();
      const grown = after.heapUsed + after.external - before.heapUsed - before.external;
      t.equal(spent.wrong, undefined, name);
      t.ok(spent.ms < callMsMax, `${name}: ${spent.ms.toFixed(1)} ms; ${replay}`);
      const most = growth.bytes + growth.perByte * bytes.length;
      t.ok(grown < most, `${name}: ${grown} bytes of memory for ${bytes.length}; ${replay}`);
    }
    t.end();
  });
}

function outcome(decoder: Decoder, bytes: Uint8Array) {
  const start = process.threadCpuUsage();
  let wrong: string | undefined;
  let fault = false;
  try {
    decoder.decode(bytes);
  } catch (error) {
    fault = true;
    if (!isFault(error, ...(decoder.kinds ?? ["Corrupt"]))) wrong = String(error);
  }
  // Of the processor: on a busy machine the clock counts what others do.
  const { user, system } = process.threadCpuUsage(start);
  return { wrong, fault, ms: (user + system) / 1000 };
}

/** Messages of the full length that ask a decoder for more than they are worth. */
function bombs(bytesMax: number): readonly (readonly [string, Buffer])[] {
  const list = (fill: number) => {
    const bytes = Buffer.alloc(bytesMax, fill);
    bytes[0] = 0x9a;
    bytes.writeUInt32BE(bytesMax - 5, 1);
    return bytes;
  };
  const ends = Buffer.alloc(bytesMax);
  ends[0] = 1;
  return [
    ["a list of empty strings", list(0x40)],
    ["a list of empty maps", list(0xa0)],
    ["a list of lists", Buffer.alloc(bytesMax, 0x81)],
    ["a list of numbers", list(0x00)],
    ["a count without items", Buffer.from("9bffffffffffffffff", "hex")],
    ["a string without bytes", Buffer.from("5bffffffffffffffff", "hex")],
    ["a long varint", Buffer.alloc(bytesMax, 0xff)],
    ["a version, and zeros", ends],
    ["a version, and a count of all", Buffer.concat([Buffer.from([1, 0xff, 0xff, 0x7f]), ends])],
    ["letters", Buffer.alloc(bytesMax, "z")],
    ["an invite of letters", Buffer.from(`hive1${"z".repeat(Math.min(bytesMax, 2000))}`)],
    ["a deep map", Buffer.concat(Array.from({ length: 4000 }, () => encode({ a: 1 }).subarray(0, 3)))],
  ];
}

function chance({ bytesMax }: Decoder): Buffer {
  return random.bytes(random.below(Math.min(bytesMax, 600)));
}

/** One of the valid messages with a few bytes changed, perhaps cut, grown or spliced. */
function bent(valid: readonly Uint8Array[]): Buffer {
  const dice: Random = random;
  const bytes = Buffer.from(valid[dice.below(valid.length)] as Uint8Array);
  for (let change = dice.below(4); change > 0; change--) {
    const at = dice.below(bytes.length);
    bytes[at] = dice.below(2) === 0 ? dice.below(256) : (bytes[at] as number) ^ (1 << dice.below(8));
  }
  switch (dice.below(6)) {
    case 0: return bytes.subarray(0, dice.below(bytes.length + 1));
    case 1: return Buffer.concat([bytes, dice.bytes(1 + dice.below(20))]);
    case 2: {
      const other = Buffer.from(valid[dice.below(valid.length)] as Uint8Array);
      return Buffer.concat([
        bytes.subarray(0, dice.below(bytes.length)), other.subarray(dice.below(other.length)),
      ]);
    }
    case 3: {
      const [from, to] = [dice.below(bytes.length), dice.below(bytes.length)];
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
    }
    default: return bytes;
  }
}
