/** Shares made by hand: a drive, people, and records as its owner would sign them. */
import { readFileSync } from "node:fs";
import type { GroupId, Ino, PersonId } from "../../src/base/ids.ts";
import { parseShareId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Random } from "../../src/base/random.ts";
import type { Grant, Share } from "../../src/base/sharing.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { type FolderRight, type WriteRight, writeRightOf, writeSecretOf } from "../../src/crypt/drive/write-right.ts";
import { type PersonKeys, personKeysOf, sealGrant } from "../../src/crypt/records/grants.ts";
import { inboxIdOf, readerKeyOf, signGrant, signShare, verifiersIdOf, wrapKey }
  from "../../src/crypt/records/share-records.ts";
import { type InboxEntry, encodeInbox } from "../../src/sharing/records/inbox-payload.ts";
import { type SharePayload, encodeSharePayload, sealPayload } from "../../src/sharing/records/payload.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { encodeForVerifiers } from "../../src/sharing/records/verifiers-payload.ts";

export interface TestReader {
  readonly person: PersonId;
  readonly expiresAtMs?: number;
  /** Of one who may write, too. */
  readonly readerKey?: Uint8Array;
}

const { root: frozenRoot } = JSON.parse(
  readFileSync(new URL("../vectors/sharing.json", import.meta.url), "utf8"),
) as { readonly root: string };

/** What a record tells of a folder: a root that is one, and nothing that could be fetched. */
export function payloadOf(random: Random, ino: Ino): SharePayload {
  const root = Buffer.from(frozenRoot, "hex");
  return { root, ino, manifests: [], newest: [], runs: [], catalogKey: random.bytes(32) };
}

export class ShareMaker {
  readonly drive: DriveKeys;
  readonly owner: PersonKeys;
  readonly random: Random;
  readonly share = parseShareId("cd".repeat(16));

  /** Of this drive, or of one that is made up. */
  constructor(
    random: Random,
    { seed = random.bytes(32), drive = driveKeysOf(seed) }: {
      readonly seed?: Uint8Array; readonly drive?: DriveKeys;
    } = {},
  ) {
    this.random = random;
    this.drive = drive;
    this.owner = personKeysOf(seed);
  }

  record(
    sequence: number, readers: readonly TestReader[], payload: SharePayload | undefined,
    writers: readonly WriteRight[] = [],
  ): Share {
    const { drive: { owner, shareSecret }, share, random } = this;
    const key = random.bytes(32);
    const bytes = payload === undefined ? random.bytes(40) : encodeSharePayload(payload);
    return signShare(this.drive, {
      share, sequence, publishedAtMs: 1e12 + sequence,
      writers: writers.map(({ keys }) => ({
        writer: keys.owner, expiresAtMs: limits.records.timeMsMax,
      })),
      sealed: sealPayload(key, bytes, { owner, share, sequence }, random),
      readers: readers.map(({ person, expiresAtMs = limits.records.timeMsMax, readerKey }) => ({
        person, expiresAtMs,
        key: wrapKey(readerKey ?? readerKeyOf(shareSecret, share, person), key, sequence, random),
      })),
    });
  }

  rightOf(to: PersonKeys, number: number): FolderRight {
    return writeRightOf(this.#secretOf(to, number));
  }

  /** As whoever has a right tells the folder's owner what she wrote. */
  written(
    { keys, backKey }: WriteRight, sequence: number, payload: SharePayload,
    { share = this.share, to = personIdOf(this.owner), publishedAtMs = 1e12 + sequence } = {},
  ): Share {
    const { random } = this;
    const { owner } = keys;
    const key = random.bytes(32);
    const place = { owner, share, sequence };
    return signShare(keys, {
      share, sequence, publishedAtMs, writers: [],
      sealed: sealPayload(key, encodeSharePayload(payload), place, random),
      readers: [{
        person: to, expiresAtMs: limits.records.timeMsMax,
        key: wrapKey(backKey, key, sequence, random),
      }],
    });
  }

  /** For writing too. */
  writeGrant(to: PersonKeys, number: number): Grant {
    const { drive: { owner }, share } = this;
    return signGrant(this.owner, {
      from: personIdOf(this.owner), to: personIdOf(to), owner, share, name: "photos", peers: [],
      gives: "write", sealed: sealGrant(to.sealPublic, this.#secretOf(to, number)),
    });
  }

  #secretOf(to: PersonKeys, number: number): Buffer {
    const { drive: { shareSecret }, share } = this;
    return writeSecretOf(shareSecret, { share, person: personIdOf(to), number });
  }

  /** To the inbox of hers, and a record of what is in it. */
  inbox(to: PersonKeys, sequence: number, entries: readonly InboxEntry[]) {
    const person = personIdOf(to);
    const { drive, random } = this;
    const { owner, shareSecret } = drive;
    const share = inboxIdOf(shareSecret, person);
    const readerKey = readerKeyOf(shareSecret, share, person);
    const key = random.bytes(32);
    const place = { owner, share, sequence };
    const grant = signGrant(this.owner, {
      from: personIdOf(this.owner), to: person, owner, share, name: "groups", peers: [],
      gives: "inbox", sealed: sealGrant(to.sealPublic, readerKey),
    });
    const record = signShare(drive, {
      share, sequence, publishedAtMs: 1e12 + sequence,
      sealed: sealPayload(key, encodeInbox(entries), place, random),
      readers: [{
        person, expiresAtMs: limits.records.timeMsMax,
        key: wrapKey(readerKey, key, sequence, random),
      }],
    });
    return { grant, record };
  }

  /** To verify, and a record of which groups there are. */
  watch(to: PersonKeys, sequence: number, groups: readonly GroupId[]) {
    const person = personIdOf(to);
    const { drive, random } = this;
    const { owner, shareSecret } = drive;
    const share = verifiersIdOf(shareSecret, this.share);
    const readerKey = readerKeyOf(shareSecret, share, person);
    const key = random.bytes(32);
    const grant = signGrant(this.owner, {
      from: personIdOf(this.owner), to: person, owner, share, name: "photos", peers: [],
      gives: "verify", sealed: sealGrant(to.sealPublic, readerKey),
    });
    const record = signShare(drive, {
      share, sequence, publishedAtMs: 1e12 + sequence,
      sealed: sealPayload(key, encodeForVerifiers(groups), { owner, share, sequence }, random),
      readers: [{
        person, expiresAtMs: limits.records.timeMsMax,
        key: wrapKey(readerKey, key, sequence, random),
      }],
    });
    return { grant, record };
  }

  grant(to: PersonKeys): Grant {
    const person = personIdOf(to);
    const { drive: { owner, shareSecret }, share } = this;
    return signGrant(this.owner, {
      from: personIdOf(this.owner), to: person, owner, share, name: "photos", peers: [], gives: "read",
      sealed: sealGrant(to.sealPublic, readerKeyOf(shareSecret, share, person)),
    });
  }
}
