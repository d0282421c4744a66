/**
 * A record beside those of folders, and as they are: numbered, signed, sealed to whom it names, and
 * kept by the drive's holders. What it tells is its writer's business: what is in somebody's inbox,
 * or which groups keep a folder. It is signed anew when that changes, or whom it is for, and told
 * to whoever missed it.
 */
import type { KeyValue } from "../base/blocks.ts";
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { PeerId, PersonId, ShareId } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ShareNetwork, ShareReader } from "../base/sharing.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { keyBytes } from "../crypt/keys.ts";
import { readerKeyOf, signShare, wrapKey } from "../crypt/share-records.ts";
import { sealPayload } from "./payload.ts";
import { Telling } from "./telling.ts";

export interface LetterNeeds {
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: ShareNetwork;
  /** Whoever keeps the drive's shards. */
  readonly members: () => readonly PeerId[];
}

export type LetterReader = Omit<ShareReader, "key">;

export interface LetterParts {
  readonly share: ShareId;
  /** Of the last record that was signed, or was about to be. */
  readonly sequence: number;
  /** Writes down the next number: whatever crashes in between, none is used twice. */
  readonly keep: (sequence: number) => Promise<void>;
}

/** The numbers of letters as their books have them, under a prefix: varint sequence. */
export async function* numbersIn(
  books: Pick<KeyValue, "list">, prefix: string, what: string,
): AsyncGenerator<readonly [key: string, sequence: number]> {
  for await (const [key, value] of books.list(prefix)) {
    const reader = new Reader(asBuffer(value), what);
    const sequence = reader.varint();
    reader.end();
    yield [key.slice(prefix.length), sequence];
  }
}

export function encodeNumber(sequence: number): Buffer {
  return new Writer(8).varint(sequence).finish();
}

export class Letter {
  readonly #needs: LetterNeeds;
  readonly #parts: LetterParts;
  readonly #telling: Telling;
  #sequence: number;
  /** What the record of this life says, and to whom; undefined before there is one. */
  #said: Buffer | undefined;

  constructor(needs: LetterNeeds, parts: LetterParts) {
    this.#needs = needs;
    this.#parts = parts;
    this.#sequence = parts.sequence;
    this.#telling = new Telling(needs);
  }

  /** What a grant to it gives this reader. */
  secretFor(person: PersonId): Buffer {
    return readerKeyOf(this.#needs.keys.shareSecret, this.#parts.share, person);
  }

  async tell(
    readers: readonly LetterReader[], payload: Uint8Array, signal: AbortSignal,
  ): Promise<void> {
    const now = Buffer.from(JSON.stringify([readers, Buffer.from(payload).toString("hex")]));
    if (this.#said === undefined || !this.#said.equals(now)) {
      await this.#make(readers, payload);
      this.#said = now;
    }
    const { members, network } = this.#needs;
    await this.#telling.tell(members(), (peer, record) => {
      return network.share(peer, "put", record, { signal });
    }, signal);
  }

  async #make(readers: readonly LetterReader[], payload: Uint8Array): Promise<void> {
    const { keys, clock, random } = this.#needs;
    const { share, keep } = this.#parts;
    const sequence = ++this.#sequence;
    await keep(sequence);
    const key = random.bytes(keyBytes);
    const record = signShare(keys, {
      share, sequence, publishedAtMs: clock.now(),
      readers: readers.map((reader) => {
        return { ...reader, key: wrapKey(this.secretFor(reader.person), key, sequence, random) };
      }),
      sealed: sealPayload(key, payload, { owner: keys.owner, share, sequence }, random),
    });
    this.#telling.begin(record.bytes);
  }
}
