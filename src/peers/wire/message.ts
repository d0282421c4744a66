/**
 * What the heads of frames say: requests and answers, in DAG-CBOR, checked field by field once.
 * Bulk (a shard, a range) and lists (records, offers) travel as the frame's payload.
 */
import { encode } from "@ipld/dag-cbor";
import { type DeviceAct, deviceActs } from "../../base/devices.ts";
import { HiveError, type Kind } from "../../base/errors.ts";
import { type GuardAct, guardActs } from "../../base/guard.ts";
import {
  type OwnerId, type SegmentId, type ShardId, parseOwnerId, parseSegmentId, parseShardId,
} from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type ShareAct, shareActs } from "../../base/sharing.ts";
import { decodePlain } from "../../crypt/signed/cbor.ts";
import type { Pass } from "./invite.ts";

/** One per operation of ShardHost, and those that peers keep among themselves. */
export type Request =
  /** Payload: a list of certificates, and of at most one offer. */
  | { readonly op: "hello" }
  | { readonly op: "ping" }
  | { readonly op: "offers"; readonly limit: number }
  /** Takes back an earlier request of this stream: it is answered at once, as Interrupted. */
  | { readonly op: "cancel"; readonly target: number }
  | {
      readonly op: "store";
      readonly record: Uint8Array;
      readonly manifest: Uint8Array;
      readonly index: number;
      /** Absent from those who do not send it yet. */
      readonly policy?: Uint8Array;
    }
  | {
      readonly op: "read";
      readonly shard: ShardId;
      readonly offset: number;
      readonly length: number;
    }
  | {
      readonly op: "prove";
      readonly shard: ShardId;
      readonly nonce: Uint8Array;
      readonly leaves: readonly number[];
      /** Of a race; absent from all other questions. */
      readonly hops?: number;
    }
  | { readonly op: "release" }
  | {
      readonly op: "putRecord";
      readonly kind: "head" | "manifest";
      /** Of a manifest, and absent as above. */
      readonly policy?: Uint8Array;
    }
  | { readonly op: "records"; readonly owner: OwnerId }
  /** Payload: what one ledger has to say to another (src/ledger/message.ts). */
  | { readonly op: "settle" }
  | {
      readonly op: "segments";
      readonly owner: OwnerId;
      readonly after: SegmentId | undefined;
      readonly limit: number;
    }
  /** Between members of a group; payload and answer are for the guardian to read. */
  | { readonly op: "guard"; readonly act: GuardAct }
  /** About a shared folder, to one who keeps it; or for a person's key, to that person's node. */
  | { readonly op: "share"; readonly act: ShareAct }
  /** Between devices of one drive, or one that is to be. */
  | { readonly op: "device"; readonly act: DeviceAct };

export type Op = Request["op"];

/** The refusals that may cross the wire; a host's other faults travel as Unavailable. */
const refusals = [
  "NotFound", "Denied", "Quota", "Invalid", "Busy", "TooLarge", "Stale", "Interrupted",
  "Unsupported", "Unavailable",
] as const satisfies readonly Kind[];
export type Refusal = (typeof refusals)[number];

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly kind: Refusal };

type Fields = Readonly<Record<string, unknown>>;

const parsers: { readonly [O in Op]: (fields: Fields) => Extract<Request, { op: O }> } = {
  hello: () => ({ op: "hello" }),
  ping: () => ({ op: "ping" }),
  offers: (f) => ({ op: "offers", limit: count(f["limit"], limits.peers.offersSampleMax) }),
  cancel: (f) => ({ op: "cancel", target: count(f["target"], Number.MAX_SAFE_INTEGER) }),
  store: (f) => ({
    op: "store",
    record: bytes(f["record"]),
    manifest: bytes(f["manifest"]),
    index: count(f["index"], limits.erasure.shardsMax),
    ...policyIn(f),
  }),
  read: (f) => ({
    op: "read",
    shard: parseShardId(text(f["shard"])),
    offset: count(f["offset"], limits.peers.payloadBytesMax),
    length: count(f["length"], limits.peers.payloadBytesMax),
  }),
  prove: (f) => ({
    op: "prove",
    shard: parseShardId(text(f["shard"])),
    nonce: bytes(f["nonce"]),
    leaves: list(f["leaves"], leavesMax).map((leaf) => count(leaf, leavesMax)),
    ...(f["hops"] === undefined ? {} : { hops: count(f["hops"], limits.proofs.raceHops) }),
  }),
  release: () => ({ op: "release" }),
  putRecord: (f) => {
    return { op: "putRecord", kind: oneOf(f["kind"], ["head", "manifest"]), ...policyIn(f) };
  },
  records: (f) => ({ op: "records", owner: parseOwnerId(text(f["owner"])) }),
  settle: () => ({ op: "settle" }),
  segments: (f) => ({
    op: "segments",
    owner: parseOwnerId(text(f["owner"])),
    after: f["after"] === null ? undefined : parseSegmentId(text(f["after"])),
    limit: count(f["limit"], limits.peers.segmentsSampleMax),
  }),
  guard: (f) => ({ op: "guard", act: oneOf(f["act"], guardActs) }),
  share: (f) => ({ op: "share", act: oneOf(f["act"], shareActs) }),
  device: (f) => ({ op: "device", act: oneOf(f["act"], deviceActs) }),
};

const leavesMax = Math.ceil(limits.peers.payloadBytesMax / limits.segment.leafBytes);

export function encodeRequest(id: number, request: Request): Uint8Array {
  const fields = Object.entries(request).map(([key, value]) => [key, value ?? null]);
  return encode({ id, ...Object.fromEntries(fields) });
}

export function parseRequest(head: Uint8Array): { id: number; request: Request } {
  const fields = map(decoded(head));
  const op = oneOf(fields["op"], Object.keys(parsers) as Op[]);
  return { id: count(fields["id"], Number.MAX_SAFE_INTEGER), request: parsers[op](fields) };
}

export function encodeAnswer(id: number, outcome: Outcome): Uint8Array {
  return encode(outcome.ok ? { id, ok: true } : { id, kind: outcome.kind });
}

export function parseAnswer(head: Uint8Array): { id: number; outcome: Outcome } {
  const fields = map(decoded(head));
  const id = count(fields["id"], Number.MAX_SAFE_INTEGER);
  if (fields["ok"] === true) return { id, outcome: { ok: true } };
  return { id, outcome: { ok: false, kind: oneOf(fields["kind"], refusals) } };
}

/** How a host's fault is told to the peer. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof HiveError)) return "Unavailable";
  // The request's own bytes were wrong: for the asker that is an argument that cannot be right.
  if (error.kind === "Corrupt") return "Invalid";
  return refusals.find((kind) => kind === error.kind) ?? "Unavailable";
}

/** A list of byte strings as a payload. */
export function encodeList(items: readonly Uint8Array[]): Uint8Array {
  return encode(items);
}

export function parseList(payload: Uint8Array, itemsMax: number): readonly Uint8Array[] {
  if (payload.length === 0) return [];
  return list(decoded(payload), itemsMax).map(bytes);
}

/** A greeting: who may be acted for, what is offered, and by whose invite one comes. */
export function encodeHello(
  certificates: readonly Uint8Array[], offer?: Uint8Array, pass?: Pass,
): Uint8Array {
  const invited = pass === undefined ? {} : { expires: pass.expiresAtMs, token: pass.token };
  return encode({ certificates, offer: offer ?? null, ...invited });
}

export function parseHello(payload: Uint8Array) {
  // Checked before it is decoded: no greeting of that many certificates is longer.
  if (payload.length > limits.peers.headBytesMax) throw corrupt("greeting");
  const fields = map(decoded(payload));
  return {
    certificates: list(fields["certificates"], limits.peers.certificatesMax).map(bytes),
    offer: fields["offer"] === null ? undefined : bytes(fields["offer"]),
    pass: fields["token"] === undefined ? undefined : passIn(fields),
  };
}

function passIn(fields: Fields): Pass {
  const expiresAtMs = count(fields["expires"], Number.MAX_SAFE_INTEGER);
  return { expiresAtMs, token: bytes(fields["token"]) };
}

/** Those who know of one device alone read the first head, and pass over the others. */
export function encodeOwnerRecords(
  head: Uint8Array | undefined,
  manifests: readonly Uint8Array[],
  others: readonly Uint8Array[] = [],
): Uint8Array {
  return encode({ head: head ?? null, manifests, ...(others.length === 0 ? {} : { others }) });
}

export function parseOwnerRecords(payload: Uint8Array) {
  const fields = map(decoded(payload));
  return {
    head: fields["head"] === null ? undefined : bytes(fields["head"]),
    others: list(fields["others"] ?? [], limits.devices.countMax).map(bytes),
    manifests: list(fields["manifests"], limits.peers.manifestsMax).map(bytes),
  };
}

function decoded(source: Uint8Array): unknown {
  return decodePlain(source, "peers.message");
}

function map(value: unknown): Fields {
  const right = typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
  if (right) return value as Fields;
  throw corrupt("map");
}

function bytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw corrupt("bytes");
}

function policyIn(fields: Fields): { readonly policy?: Uint8Array } {
  const value = fields["policy"];
  if (value === undefined) return {};
  const policy = bytes(value);
  if (policy.length <= limits.policy.canonicalBytesMax) return { policy };
  throw corrupt("policy");
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw corrupt("text");
}

function count(value: unknown, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max) {
    return value;
  }
  throw corrupt("count");
}

function list(value: unknown, max: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= max) return value;
  throw corrupt("list");
}

function oneOf<T extends string>(value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw corrupt("choice");
}

function corrupt(what: string): HiveError {
  return new HiveError("Corrupt", "peers.message", what);
}
