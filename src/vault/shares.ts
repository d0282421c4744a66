/**
 * The shared folders of those whose shards lie here: keeps the newest record of each, hands it to
 * whom it names, and says whether a peer may have an owner's sealed bytes because it reads one of
 * his folders. It opens nothing: what of the owner a reader asks for it cannot tell, and any of it
 * is handed out; the keys are what keeps a reader to his folder.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError, unreachable } from "../base/errors.ts";
import type { OwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Requester } from "../base/network.ts";
import type { Share, ShareAct, ShareHost } from "../base/sharing.ts";
import { decodeShareAsk, decodeShareWrite, parseShare } from "../crypt/records/share-records.ts";
import type { Books } from "./books.ts";
import type { WordKeeper } from "./word-keeper.ts";

export interface SharesNeeds {
  readonly books: Books;
  readonly words: WordKeeper;
  readonly clock: Clock;
  /** Denied to whoever is neither the owner's nor of one of his groups. */
  readonly checkPartner: (from: Requester, owner: OwnerId) => Promise<void>;
}

export class Shares implements ShareHost {
  readonly #needs: SharesNeeds;
  /** By owner: what was parsed lately. */
  readonly #parsed = new Map<OwnerId, readonly Share[]>();
  /** Of whom they are read just now, and have not changed since. */
  readonly #reading = new Map<OwnerId, Promise<readonly Share[]>>();

  constructor(needs: SharesNeeds) {
    this.#needs = needs;
  }

  async share(from: Requester, act: ShareAct, payload: Uint8Array): Promise<Uint8Array> {
    switch (act) {
      case "put": return this.#put(from, parseShare(payload));
      case "get": return this.#get(from, payload);
      case "write": return this.#write(from, payload);
      case "key": throw new HiveError("Unsupported", "vault.share", act);
      default: return unreachable(act);
    }
  }

  /** By any record of the owner's that names somebody whom this peer acts for, until it expires. */
  async isReader(from: Requester, owner: OwnerId): Promise<boolean> {
    if (from.owners.length === 0) return false;
    return (await this.#of(owner)).some((share) => this.#isNamed(from, share));
  }

  async #put(from: Requester, share: Share): Promise<Uint8Array> {
    await this.#needs.checkPartner(from, share.owner);
    const before = (await this.#of(share.owner)).find((one) => one.share === share.share);
    await this.#keep(share, share.owner);
    const staying = new Set(share.writers.map(({ writer }) => writer));
    const gone = before?.writers.filter(({ writer }) => !staying.has(writer)) ?? [];
    for (const { writer } of gone) {
      await this.#needs.words.dropGuest(writer, share);
      this.#forget(writer);
    }
    return none;
  }

  /**
   * A guest's record of a folder, kept beside the owner's and at his cost, as long as that names
   * the right by which it is signed: who keeps the guest's own shards may know nothing of it.
   */
  async #write(from: Requester, payload: Uint8Array): Promise<Uint8Array> {
    const { owner, record } = decodeShareWrite(payload);
    const share = parseShare(record);
    const nowMs = this.#needs.clock.now();
    const folder = (await this.#of(owner)).find((one) => one.share === share.share);
    const isNamed = folder?.writers.some(({ writer, expiresAtMs }) => {
      return writer === share.owner && expiresAtMs > nowMs;
    });
    const isAllowed = isNamed === true && from.owners.includes(share.owner);
    if (!isAllowed) throw new HiveError("Denied", "vault.share", share.owner);
    await this.#keep(share, owner);
    return none;
  }

  async #keep(share: Share, payer: OwnerId): Promise<void> {
    const left = await this.#needs.words.keepShare(share, payer);
    this.#reading.delete(share.owner);
    const known = this.#parsed.get(share.owner);
    if (known === undefined) return;
    const others = known.filter((one) => one.share !== share.share && one.share !== left);
    const now = known.find((one) => one.share === share.share);
    const isNewer = now === undefined || now.sequence < share.sequence;
    this.#parsed.set(share.owner, [...others, isNewer ? share : now]);
  }

  /** Nothing when the asker has the newest. Whoever is not named learns no more than that. */
  async #get(from: Requester, payload: Uint8Array): Promise<Uint8Array> {
    const { owner, share: id, sequence } = decodeShareAsk(payload);
    const found = (await this.#of(owner)).find(({ share }) => share === id);
    if (found === undefined) throw new HiveError("NotFound", "vault.share", id);
    const isAllowed = from.owners.includes(owner) || this.#isNamed(from, found);
    if (!isAllowed) throw new HiveError("Denied", "vault.share", id);
    return found.sequence > sequence ? found.bytes : none;
  }

  #isNamed(from: Requester, { readers }: Share): boolean {
    const nowMs = this.#needs.clock.now();
    return readers.some(({ person, expiresAtMs }) => {
      return expiresAtMs > nowMs && from.owners.includes(person);
    });
  }

  async #of(owner: OwnerId): Promise<readonly Share[]> {
    const known = this.#parsed.get(owner);
    if (known !== undefined) return known;
    const reading = this.#reading.get(owner) ?? this.#read(owner);
    this.#reading.set(owner, reading);
    const found = await reading;
    // What was changed meanwhile must not stay as it was: it may shut a reader out.
    return this.#reading.get(owner) === reading ? this.#remember(owner, found) : this.#of(owner);
  }

  async #read(owner: OwnerId): Promise<readonly Share[]> {
    try {
      return (await this.#needs.books.shares(owner)).map(parseShare);
    } catch (fault) {
      this.#reading.delete(owner);
      throw fault;
    }
  }

  /** Of whom there is nothing is soon looked up: whoever asks for many such pushes nobody out. */
  #remember(owner: OwnerId, found: readonly Share[]): readonly Share[] {
    this.#reading.delete(owner);
    if (found.length === 0) return found;
    const [oldest] = this.#parsed.keys();
    const isFull = this.#parsed.size >= limits.vault.sharesParsedMax;
    if (isFull && oldest !== undefined) this.#parsed.delete(oldest);
    this.#parsed.set(owner, found);
    return found;
  }

  #forget(owner: OwnerId): void {
    this.#parsed.delete(owner);
    this.#reading.delete(owner);
  }
}

const none = Buffer.alloc(0);
