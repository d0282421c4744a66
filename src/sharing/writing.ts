/**
 * What this machine's person writes in a folder of somebody else's, on its way to the owner. It is
 * a drive of its own: its keys come from the right to write (crypt/write-right.ts), its blocks go
 * to groups that this machine draws, and each head is followed by a record of it as shares have
 * them, which only the owner can open. His holders keep that too, for as long as his own record
 * names the right; so neither of the two need be there when the other is. Keys of the KeyValue:
 *
 *   o/WRITER/t/...  the books of its blocks (transfer/)
 *   o/WRITER/a/...  of how their holders answered (agent/)
 *   o/WRITER/...    of whether this is the device that writes (claim.ts)
 */
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { Cid, Ino, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ShareNetwork } from "../base/sharing.ts";
import { keyBytes } from "../crypt/keys.ts";
import { encodeShareWrite, signShare, wrapKey } from "../crypt/share-records.ts";
import type { WriteRight } from "../crypt/write-right.ts";
import { treeKeys } from "../dag/keys.ts";
import { openRoot } from "../dag/root.ts";
import type { Published } from "../transfer/heads/publish.ts";
import type { Transfer } from "../transfer/transfer.ts";
import { Claim } from "./claim.ts";
import { rootOf } from "./folder.ts";
import type { Source } from "./opened.ts";
import { type SharePayload, encodeSharePayload, sealPayload } from "./payload.ts";
import { writtenPrefix } from "./taken-books.ts";
import { Telling } from "./telling.ts";

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
  /** Whoever keeps the owner's shards. */
  readonly owners: () => readonly PeerId[];
}

export class Writing {
  readonly #needs: WritingNeeds;
  readonly #telling: Telling;
  readonly #toOwners: Telling;
  readonly #claim: Claim;
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
    this.#claim = new Claim(needs);
  }

  /** What the device is called that writes here instead of this one; null while none does. */
  get rival(): string | null {
    return this.#claim.rival;
  }

  /** Resolves when it is known whether this device may write, or another one does. */
  async settle(): Promise<void> {
    await this.#claim.settle();
  }

  know({ ino }: Pick<SharePayload, "ino">): void {
    this.#ino = ino;
  }

  /** From now on there is a tree, whose blocks are to be brought to peers. */
  async begin(): Promise<void> {
    const { guests, right } = this.#needs;
    this.#transfer ??= guests.open(right, this.#prefix);
    await this.#transfer;
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
      await this.#claim.look({ isDue: isNew }, signal);
      if (this.rival !== null) return;
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
    const { right: { keys, backKey }, grant: { share, from }, random, clock } = this.#needs;
    const { directory, devices } = openRoot(treeKeys(keys.treeSecret), published.root);
    const { catalogKey } = keys;
    const { standIn: _, ...told } = published;
    const root = rootOf(directory, devices);
    const payload = encodeSharePayload({ ...told, root, ino, catalogKey });
    const sequence = await this.#claim.nextSequence();
    const key = random.bytes(keyBytes);
    const owner = { person: from, expiresAtMs: limits.records.timeMsMax };
    const sealed = sealPayload(key, payload, { owner: keys.owner, share, sequence }, random);
    const { bytes } = signShare(keys, {
      share, sequence, publishedAtMs: clock.now(), sealed,
      readers: [{ ...owner, key: wrapKey(backKey, key, sequence, random) }],
    });
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
