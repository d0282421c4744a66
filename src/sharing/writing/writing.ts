/**
 * What this device's person writes in a folder of somebody else's, on its way to the owner. It is a
 * drive of its own: its keys come from the right to write (crypt/drive/write-right.ts), its blocks
 * go to groups that this machine draws, and each head is followed by a record of it as shares have
 * them, which only the owner can open, and she herself elsewhere. His holders keep that too, for as
 * long as his own record names the right; so neither of the two need be there when the other is.
 * Keys of the KeyValue:
 *
 *   o/WRITER/t/...  the books of its blocks (transfer/)
 *   o/WRITER/a/...  of how their holders answered (agent/)
 *   o/WRITER/...    of the numbers of its records, and of whether it may (numbering.ts, claim.ts)
 */
import type { KeyValue } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { Cid, Ino, PeerId, PersonId } from "../../base/ids.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { ShareNetwork } from "../../base/sharing.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";
import { encodeShareWrite } from "../../crypt/records/share-records.ts";
import { treeKeys } from "../../dag/keys.ts";
import { openRoot } from "../../dag/root.ts";
import type { Published } from "../../transfer/heads/publish.ts";
import type { Transfer } from "../../transfer/transfer.ts";
import { rootOf } from "../records/folder-root.ts";
import { signGuestRecord } from "../records/guest-record.ts";
import type { Source } from "../records/opened.ts";
import { type SharePayload, encodeSharePayload } from "../records/payload.ts";
import { Telling } from "../telling/telling.ts";
import type { Claim } from "./claim.ts";
import { Numbering, writtenPrefix } from "./numbering.ts";

/** What carries the blocks of each right, and sees to it that they stay with their holders. */
export interface GuestTransfers {
  /** Its books are under this prefix. */
  open(right: WriteRight, prefix: string): Promise<Transfer>;
  end(right: WriteRight): Promise<void>;
}

export interface WritingNeeds {
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: ShareNetwork;
  readonly guests: GuestTransfers;
  readonly right: WriteRight;
  readonly grant: Pick<Source, "owner" | "share" | "from">;
  /** Whose right it is. */
  readonly personId: PersonId;
  /** Whoever keeps the owner's shards. */
  readonly owners: () => readonly PeerId[];
  /** Other devices may refer to what this one does not. */
  readonly areOthers: () => boolean;
  /** Looked at before each record; of a right that no other device can use there is none. */
  readonly claim?: Claim;
}

export class Writing {
  readonly #needs: WritingNeeds;
  readonly #telling: Telling;
  readonly #toOwners: Telling;
  readonly #numbering: Numbering;
  #transfer: Promise<Transfer> | undefined;
  /** Which folder it is in the owner's drive. */
  #ino: Ino | undefined;
  /** Which head the record follows. */
  #head = 0;
  trouble: string | null = null;

  constructor(needs: WritingNeeds) {
    this.#needs = needs;
    this.#telling = new Telling(needs);
    this.#toOwners = new Telling(needs);
    this.#numbering = new Numbering(needs);
  }

  get right(): WriteRight {
    return this.#needs.right;
  }

  /** Those who refused its record may take it from now on. */
  tellAgain(): void {
    this.#toOwners.again();
  }

  know({ ino }: Pick<SharePayload, "ino">): void {
    this.#ino = ino;
  }

  /** From now on there is a tree, whose blocks are to be brought to peers. */
  async begin(): Promise<void> {
    const { guests, right, areOthers } = this.#needs;
    this.#transfer ??= guests.open(right, this.#prefix);
    (await this.#transfer).devices.areGuests = areOthers;
  }

  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    await this.begin();
    return await (await this.#transfer as Transfer).fetch(cid, options);
  }

  /** Each head is followed by its record. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const transfer = await this.#transfer;
    if (transfer !== undefined) await this.#follow(transfer, signal);
    return "idle";
  }

  /** The folder is left: what peers have of it stays with them, and is looked after no more. */
  async end(): Promise<void> {
    this.#transfer = undefined;
    await this.#needs.guests.end(this.#needs.right);
  }

  async flush(timeoutMs: number): Promise<void> {
    const transfer = await this.#transfer;
    if (transfer === undefined) return;
    await transfer.flush(timeoutMs);
    await this.#follow(transfer, AbortSignal.timeout(timeoutMs));
  }

  get #prefix(): string {
    return writtenPrefix(this.#needs.right);
  }

  async #follow(transfer: Transfer, signal: AbortSignal): Promise<void> {
    try {
      const published = await transfer.published();
      const isNew = published !== undefined && published.sequence !== this.#head;
      const { claim } = this.#needs;
      await claim?.look({ isDue: isNew }, signal);
      if (claim !== undefined && claim.rival !== null) return;
      if (isNew && this.#ino !== undefined) await this.#make(published, this.#ino);
      await this.#tell(transfer, signal);
      this.trouble = null;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.trouble = describe(error);
      this.#needs.log.warn("sharing.writing", { why: this.trouble });
    }
  }

  async #make(published: Published, ino: Ino): Promise<void> {
    const { right, grant: { share, from }, personId } = this.#needs;
    const { catalogKey, treeSecret } = right.keys;
    const { directory, devices } = openRoot(treeKeys(treeSecret), published.root);
    const { standIn: _, ...told } = published;
    const root = rootOf(directory, devices);
    const payload = encodeSharePayload({ ...told, root, ino, catalogKey });
    const sequence = await this.#numbering.next();
    const record = { share, sequence, payload, readers: [from, personId] };
    const { bytes } = signGuestRecord(right, record, this.#needs);
    this.#head = published.sequence;
    this.#telling.begin(bytes);
    this.#toOwners.begin(bytes);
  }

  async #tell(transfer: Transfer, signal: AbortSignal): Promise<void> {
    const { network, owners, grant: { owner } } = this.#needs;
    await this.#telling.tell(transfer.members(), (peer, record) => {
      return network.share(peer, "put", record, { signal });
    }, signal);
    await this.#toOwners.tell(owners(), (peer, record) => {
      return network.share(peer, "write", encodeShareWrite({ owner, record }), { signal });
    }, signal);
  }
}
