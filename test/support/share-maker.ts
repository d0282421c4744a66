/** Shares made by hand: a drive, people, and records as its owner would sign them. */
import type { PersonId } from "../../src/base/ids.ts";
import { parseShareId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Random } from "../../src/base/random.ts";
import type { Grant, Share } from "../../src/base/sharing.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive.ts";
import { type PersonKeys, personKeysOf, sealGrant } from "../../src/crypt/grants.ts";
import { readerKeyOf, signGrant, signShare, wrapKey } from "../../src/crypt/share-records.ts";
import { type SharePayload, encodeSharePayload, sealPayload } from "../../src/sharing/payload.ts";
import { personIdOf } from "../../src/sharing/person-keys.ts";

export interface TestReader {
  readonly person: PersonId;
  readonly expiresAtMs?: number;
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
  ): Share {
    const { drive: { owner, shareSecret }, share, random } = this;
    const key = random.bytes(32);
    const bytes = payload === undefined ? random.bytes(40) : encodeSharePayload(payload);
    return signShare(this.drive, {
      share, sequence, publishedAtMs: 1e12 + sequence,
      sealed: sealPayload(key, bytes, { owner, share, sequence }, random),
      readers: readers.map(({ person, expiresAtMs = limits.records.timeMsMax }) => ({
        person, expiresAtMs,
        key: wrapKey(readerKeyOf(shareSecret, share, person), key, sequence, random),
      })),
    });
  }

  grant(to: PersonKeys): Grant {
    const person = personIdOf(to);
    const { drive: { owner, shareSecret }, share } = this;
    return signGrant(this.owner, {
      from: personIdOf(this.owner), to: person, owner, share, name: "photos", peers: [],
      sealed: sealGrant(to.sealPublic, readerKeyOf(shareSecret, share, person)),
    });
  }
}
