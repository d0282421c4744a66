/**
 * One record of a folder, as its owner tells of it: the folder as a published head has it, or as
 * the last record had it where it is not there any more, sealed under a key of its own that each
 * reader is given. It names only what that head names.
 *
 *   l/SHARE  the payload of the last record, sealed (given-books.ts)
 */
import type { KeyValue } from "../base/blocks.ts";
import { sharingKeys } from "../base/book-keys.ts";
import type { Clock } from "../base/clock.ts";
import type { Name } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { Share, ShareReader } from "../base/sharing.ts";
import { openRecord, sealRecord } from "../crypt/aead.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { keyBytes } from "../crypt/keys.ts";
import { signShare, wrapKey } from "../crypt/share-records.ts";
import { treeKeys } from "../dag/keys.ts";
import { openRoot, parseRoot } from "../dag/root.ts";
import type { Published } from "../transfer/heads/publish.ts";
import { type ReadBlock, findFolder, rootOf } from "./folder.ts";
import type { GivenShare } from "./given-books.ts";
import { type ReaderPlace, readerKeyFor, rightFor } from "./given-keys.ts";
import { decodeSharePayload, encodeSharePayload, sealPayload } from "./payload.ts";
import type { Reach } from "./ways.ts";

export interface GivenRecordsNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly read: ReadBlock;
}

/** Somebody who reads a folder now. */
export type GivenReader = Reach & Pick<ReaderPlace, "right">;

/** What a record is to hold. */
export interface Made {
  readonly payload: Uint8Array;
  readonly root: Uint8Array;
  /** Where the folder is by now. */
  readonly path: readonly Name[];
}

type Place = Pick<GivenShare, "share" | "sequence">;

export class GivenRecords {
  readonly #needs: GivenRecordsNeeds;

  constructor(needs: GivenRecordsNeeds) {
    this.#needs = needs;
  }

  /** Undefined when the folder is not there any more, or not with peers yet. */
  async of(
    given: GivenShare, published: Published, { isWritten }: { readonly isWritten: boolean },
  ): Promise<Made | undefined> {
    const { keys: { catalogKey, treeSecret }, read } = this.#needs;
    const root = openRoot(treeKeys(treeSecret), published.root);
    const found = await findFolder(root, given, read);
    if (found === undefined) return undefined;
    // Whoever writes it has to know what is in it of whose changes; whoever reads it need not.
    const made = isWritten ? rootOf(found, root.devices) : rootOf(found);
    // What is held back of the drive is nobody's business.
    const { standIn: _, ...told } = published;
    const payload = encodeSharePayload({ ...told, root: made, ino: given.ino, catalogKey });
    return { payload, root: rootOf(found), path: found.path };
  }

  async last({ share, path }: GivenShare): Promise<Made | undefined> {
    const sealed = await this.#needs.books.get(sharingKeys.givenState + share);
    if (sealed === undefined) return undefined;
    const payload = openRecord(this.#needs.keys.localKey, sealed);
    const { directory } = parseRoot(decodeSharePayload(payload).root);
    return { payload, root: rootOf(directory), path };
  }

  async sign(
    place: Place, readers: readonly GivenReader[], payload: Uint8Array,
  ): Promise<Share> {
    const { books, clock, keys, random } = this.#needs;
    const { share, sequence } = place;
    const nowMs = clock.now();
    const key = random.bytes(keyBytes);
    const sealed = sealPayload(key, payload, { owner: keys.owner, share, sequence }, random);
    const staying = readers.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    const told = {
      share, sequence, publishedAtMs: nowMs, sealed,
      readers: staying.map((reader) => this.#entryOf(place, reader, key)),
      writers: writersIn(staying, nowMs).map(({ person, right: number, writesUntilMs }) => {
        const { keys: { owner: writer } } = rightFor(keys.shareSecret, { share, person, number });
        return { writer, expiresAtMs: writesUntilMs };
      }),
    };
    const record = signShare(keys, told);
    await books.put(sharingKeys.givenState + share, sealRecord(keys.localKey, payload, random));
    return record;
  }

  #entryOf(
    { share, sequence }: Place, { person, right, expiresAtMs }: GivenReader, key: Uint8Array,
  ): ShareReader {
    const { keys: { shareSecret }, random } = this.#needs;
    const readerKey = readerKeyFor(shareSecret, { share, person, right });
    return { person, expiresAtMs, key: wrapKey(readerKey, key, sequence, random) };
  }
}

export function writersIn(
  readers: readonly GivenReader[], nowMs: number,
): readonly GivenReader[] {
  return readers.filter(({ right, writesUntilMs }) => right > 0 && writesUntilMs > nowMs);
}
