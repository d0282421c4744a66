/**
 * The folders of this drive that others may read. Sharing one moves nothing but a grant; from then
 * on each head of the drive is followed by a record of the folder, sealed to its readers, which the
 * holders keep. Shutting somebody out is the next record: holders refuse him from then on, and
 * whatever it says is under a key that he has not. It names only what a published head names.
 */
import type { KeyValue } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import { type Ino, type Name, type PeerId, type PersonId, type ShareId, nameToText, parseShareId }
  from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { GiveQuestion, GivenRow, GivenView, Grant, RevokeQuestion, ShareNetwork }
  from "../base/sharing.ts";
import { openRecord, sealRecord } from "../crypt/aead.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { type PersonKeys, sealGrant } from "../crypt/grants.ts";
import { keyBytes } from "../crypt/keys.ts";
import { readerKeyOf, signGrant, signShare, wrapKey } from "../crypt/share-records.ts";
import { type RightPlace, type WriteRight, writeRightOf, writeSecretOf }
  from "../crypt/write-right.ts";
import { treeKeys } from "../dag/keys.ts";
import { noDevices } from "../dag/marks.ts";
import { openRoot, parseRoot } from "../dag/root.ts";
import type { Published } from "../transfer/publish.ts";
import type { Contact } from "./contacts.ts";
import { type ReadBlock, findFolder, rootOf } from "./folder.ts";
import { type GivenReader, type GivenShare, decodeGiven, decodePath, encodeGiven, encodePath,
  renewalKey } from "./given-books.ts";
import { decodeSharePayload, encodeSharePayload, sealPayload } from "./payload.ts";
import { personIdOf } from "./person-keys.ts";
import { Telling } from "./telling.ts";

const { readersMax, sharesMax, grantPeersMax, unchangedMs } = limits.sharing;

export interface GivenNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: ShareNetwork;
  readonly published: () => Promise<Published | undefined>;
  /** Is told of a folder that somebody could read whose time is over. */
  readonly expired: (path: readonly Name[], who: readonly PersonId[]) => Promise<void>;
  /** Whoever keeps the drive's shards. */
  readonly members: () => readonly PeerId[];
  readonly read: ReadBlock;
}

/** A share at work. */
interface Giving {
  given: GivenShare;
  /** Which head it follows, what that says of the folder, and since when it does. */
  head: number;
  root: Uint8Array | undefined;
  madeAtMs: number;
  /** Who may read is another by now than the record says. */
  isNews: boolean;
  /** Of the record that counts; of none before the first of this life. */
  readonly telling: Telling;
  trouble: string | null;
}

/** Somebody who may write a folder of this drive. */
export interface GivenGuest {
  readonly share: ShareId;
  readonly ino: Ino;
  readonly person: PersonId;
  readonly number: number;
  readonly right: WriteRight;
}

/** What a record is to hold. */
interface Made {
  readonly payload: Uint8Array;
  readonly root: Uint8Array;
}

export class Given {
  readonly #needs: GivenNeeds;
  readonly #shares = new Map<ShareId, Giving>();
  readonly #turn = new Gate({ seats: 1, queueMax: 64 });
  /** Whoever waits for the turn need not wait for holders that do not answer. */
  #hurry = new AbortController();

  constructor(needs: GivenNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list("g/")) {
      const share = parseShareId(key.slice(2));
      this.#shares.set(share, this.#beginning(decodeGiven(share, value)));
    }
  }

  /** For one more reader, or the same one for another time. */
  async give(
    { path, ino, expiresAtMs, writes = false }: GiveQuestion, to: Contact,
  ): Promise<Grant> {
    using _turn = await this.#enter();
    const giving = this.#of(ino) ?? this.#begin(ino);
    const { share, readers } = giving.given;
    const others = readers.filter(({ person }) => person !== to.person);
    if (others.length >= readersMax) throw new HiveError("Quota", "sharing.give", to.name);
    const before = readers.find(({ person }) => person === to.person)?.right ?? 0;
    const reader = {
      person: to.person, expiresAtMs: expiresAtMs ?? limits.records.timeMsMax,
      right: writes ? before || await this.#freshRight({ share, person: to.person }) : 0,
    };
    await this.#keep(giving, { path, readers: [...others, reader] });
    this.#shares.set(share, giving);
    giving.isNews = true;
    const { keys, person } = this.#needs;
    return signGrant(person, {
      from: personIdOf(person), to: to.person, owner: keys.owner, share, writes,
      name: nameOf(path), peers: this.#needs.members().slice(0, grantPeersMax),
      sealed: sealGrant(to.sealPublic, this.#secretOf(share, reader)),
    });
  }

  /** Those who may write a folder just now. */
  guests(): readonly GivenGuest[] {
    const nowMs = this.#needs.clock.now();
    return [...this.#shares.values()].flatMap(({ given }) => {
      const writing = given.readers.filter(({ right, expiresAtMs }) => {
        return right > 0 && expiresAtMs > nowMs;
      });
      return writing.map(({ person, right: number }) => {
        const { share, ino } = given;
        return { share, ino, person, number, right: this.#rightOf({ share, person, number }) };
      });
    });
  }

  /** Nobody marks changes with the number of one of the drive's devices. */
  async #freshRight(at: Pick<RightPlace, "share" | "person">): Promise<number> {
    const { keys, published, random } = this.#needs;
    const root = (await published())?.root;
    const devices = root === undefined
      ? noDevices : openRoot(treeKeys(keys.treeSecret), root).devices;
    for (;;) {
      const number = 1 + random.bytes(6).readUIntBE(0, 6);
      if (!devices.has(this.#rightOf({ ...at, number }).number)) return number;
    }
  }

  #rightOf(place: RightPlace): WriteRight {
    return writeRightOf(writeSecretOf(this.#needs.keys.shareSecret, place));
  }

  /** What a grant gives: of one to write the key to read follows. */
  #secretOf(share: ShareId, { person, right: number }: GivenReader): Buffer {
    const { shareSecret } = this.#needs.keys;
    if (number === 0) return readerKeyOf(shareSecret, share, person);
    return writeSecretOf(shareSecret, { share, person, number });
  }

  /** It is so with all holders that answer when this resolves. */
  async revoke(
    { ino, path }: Omit<RevokeQuestion, "person">, person: PersonId, signal: AbortSignal,
  ): Promise<void> {
    using _turn = await this.#enter();
    const giving = ino === undefined ? this.#at(path) : this.#of(ino);
    const { readers = [] } = giving?.given ?? {};
    const staying = readers.filter((reader) => reader.person !== person);
    if (giving === undefined || staying.length === readers.length) {
      throw new HiveError("NotFound", "sharing.revoke", "not shared with that person");
    }
    await this.#keep(giving, { readers: staying });
    if (ino !== undefined) await this.#needs.books.put(renewalKey(path), encodePath(path));
    giving.isNews = true;
    await this.#follow(giving, signal);
  }

  /** Where to begin again after a crash. */
  async renewing(): Promise<readonly (readonly Name[])[]> {
    const found: (readonly Name[])[] = [];
    for await (const [, value] of this.#needs.books.list("r/")) found.push(decodePath(value));
    return found;
  }

  folders(): readonly Ino[] {
    return [...this.#shares.values()].map(({ given }) => given.ino);
  }

  async renewed(path: readonly Name[]): Promise<void> {
    await this.#needs.books.delete(renewalKey(path));
  }

  /** After each head, and whenever readers changed, all holders hear of it. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    using _turn = await this.#turn.enter(signal);
    this.#hurry = new AbortController();
    const until = AbortSignal.any([signal, this.#hurry.signal]);
    for (const giving of this.#shares.values()) {
      if (until.aborted) break;
      await this.#expire(giving);
      await this.#follow(giving, until);
    }
    return "idle";
  }

  /** Holders go by the time themselves; the secrets that he has are this machine's to renew. */
  async #expire(giving: Giving): Promise<void> {
    const { path, readers } = giving.given;
    const nowMs = this.#needs.clock.now();
    const staying = readers.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    if (staying.length === readers.length) return;
    await this.#needs.books.put(renewalKey(path), encodePath(path));
    await this.#keep(giving, { readers: staying });
    giving.isNews = true;
    const gone = readers.filter((reader) => !staying.includes(reader));
    await this.#needs.expired(path, gone.map(({ person }) => person));
  }

  list(
    nameOf: (person: PersonId) => string,
    wrote: (share: ShareId, person: PersonId) => Pick<GivenRow, "wroteAt" | "trouble"> = nothing,
  ): readonly GivenView[] {
    const members = this.#needs.members();
    const shown = [...this.#shares.values()].filter(({ given }) => given.readers.length > 0);
    return shown.map(({ given, telling, trouble }) => ({
      path: `/${given.path.map(nameToText).join("/")}`,
      with: given.readers.map((reader) => ({
        ...viewOf(reader, nameOf), ...wrote(given.share, reader.person),
      })),
      told: members.filter((peer) => telling.has(peer)).length,
      holders: members.length,
      trouble,
    }));
  }

  #enter(): Promise<Disposable> {
    this.#hurry.abort(new HiveError("Interrupted", "sharing.tell", "readers changed"));
    return this.#turn.enter();
  }

  #of(ino: Ino): Giving | undefined {
    return [...this.#shares.values()].find(({ given }) => given.ino === ino);
  }

  #at(path: readonly Name[]): Giving | undefined {
    const place = path.join("/");
    return [...this.#shares.values()].find(({ given }) => given.path.join("/") === place);
  }

  #begin(ino: Ino): Giving {
    if (this.#shares.size >= sharesMax) {
      throw new HiveError("Quota", "sharing.give", `${sharesMax} folders`);
    }
    const share = parseShareId(this.#needs.random.bytes(16).toString("hex"));
    return this.#beginning({ share, ino, path: [], sequence: 0, readers: [] });
  }

  #beginning(given: GivenShare): Giving {
    const never = { root: undefined, trouble: null, madeAtMs: -Infinity };
    return { given, head: 0, ...never, isNews: true, telling: new Telling(this.#needs) };
  }

  async #follow(giving: Giving, signal: AbortSignal): Promise<void> {
    try {
      const published = await this.#needs.published();
      if (this.#isDue(giving, published)) await this.#make(giving, published);
      await this.#tell(giving, signal);
    } catch (error) {
      if (!isFault(error)) throw error;
      giving.trouble = describe(error);
      this.#needs.log.warn("sharing.given", { why: giving.trouble });
    }
  }

  #isDue(giving: Giving, published: Published | undefined): boolean {
    if (giving.isNews) return true;
    return published !== undefined && published.sequence !== giving.head;
  }

  async #make(giving: Giving, published: Published | undefined): Promise<void> {
    const { books, clock, keys, random } = this.#needs;
    const made = published === undefined
      ? await this.#lastPayload(giving)
      : await this.#payloadOf(giving, published);
    if (made === undefined || this.#isKnown(giving, made.root)) return;
    const { payload } = made;
    const sequence = giving.given.sequence + 1;
    // Written down first: whatever crashes in between, it is never used twice.
    await this.#keep(giving, { sequence });
    const { share, readers } = giving.given;
    const nowMs = clock.now();
    const key = random.bytes(keyBytes);
    const staying = readers.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    const wrapped = staying.map((reader) => {
      return { ...reader, key: wrapKey(this.#readerKeyOf(share, reader), key, sequence, random) };
    });
    const writing = staying.filter(({ right }) => right > 0);
    const writers = writing.map(({ person, right: number, expiresAtMs }) => {
      return { writer: this.#rightOf({ share, person, number }).keys.owner, expiresAtMs };
    });
    const sealed = sealPayload(key, payload, { owner: keys.owner, share, sequence }, random);
    const told = { share, sequence, publishedAtMs: nowMs, readers: wrapped, writers, sealed };
    giving.telling.begin(signShare(keys, told).bytes);
    giving.head = published?.sequence ?? 0;
    giving.root = made.root;
    giving.madeAtMs = clock.monotonicMs();
    giving.isNews = false;
    await books.put(`l/${share}`, sealRecord(keys.localKey, payload, random));
  }

  #readerKeyOf(share: ShareId, reader: GivenReader): Buffer {
    const secret = this.#secretOf(share, reader);
    return reader.right > 0 ? writeRightOf(secret).readerKey : secret;
  }

  /** Most commits are of other folders: nobody is told that nothing happened. */
  #isKnown({ isNews, root, madeAtMs }: Giving, now: Uint8Array): boolean {
    const isSame = !isNews && root !== undefined && asBuffer(root).equals(now);
    return isSame && this.#needs.clock.monotonicMs() - madeAtMs < unchangedMs;
  }

  /** Undefined when the folder is not there any more, or not with peers yet. */
  async #payloadOf(giving: Giving, published: Published): Promise<Made | undefined> {
    const { keys, read } = this.#needs;
    const root = openRoot(treeKeys(keys.treeSecret), published.root);
    const found = await findFolder(root, giving.given, read);
    giving.trouble = found === undefined ? "not with peers yet, or deleted" : null;
    // Shutting out goes on without the folder.
    if (found === undefined) return giving.isNews ? this.#lastPayload(giving) : undefined;
    if (found.path !== giving.given.path) await this.#keep(giving, { path: found.path });
    const { catalogKey } = keys;
    const { ino, readers } = giving.given;
    // Whoever writes it has to know what is in it of whose changes; whoever reads it need not.
    const isWritten = readers.some(({ right }) => right > 0);
    const made = isWritten ? rootOf(found, root.devices) : rootOf(found);
    // What is held back of the drive is nobody's business.
    const { standIn: _, ...told } = published;
    const payload = encodeSharePayload({ ...told, root: made, ino, catalogKey });
    return { payload, root: rootOf(found) };
  }

  async #lastPayload({ given }: Giving): Promise<Made | undefined> {
    const sealed = await this.#needs.books.get(`l/${given.share}`);
    if (sealed === undefined) return undefined;
    const payload = openRecord(this.#needs.keys.localKey, sealed);
    return { payload, root: rootOf(parseRoot(decodeSharePayload(payload).root).directory) };
  }

  async #tell({ telling }: Giving, signal: AbortSignal): Promise<void> {
    const { members, network } = this.#needs;
    await telling.tell(members(), (peer, record) => {
      return network.share(peer, "put", record, { signal });
    }, signal);
  }

  async #keep(giving: Giving, change: Partial<GivenShare>): Promise<void> {
    const given = { ...giving.given, ...change };
    await this.#needs.books.put(`g/${given.share}`, encodeGiven(given));
    giving.given = given;
  }
}

const nothing = () => ({ wroteAt: null, trouble: null });

function nameOf(path: GiveQuestion["path"]): string {
  const last = path.at(-1);
  return last === undefined ? "Hive" : nameToText(last).replace(/\p{Cc}/gu, "_");
}

function viewOf(
  { person, expiresAtMs, right }: GivenReader, nameOf: (person: PersonId) => string,
): Pick<GivenRow, "name" | "expiresAt" | "writes"> {
  const isForEver = expiresAtMs === limits.records.timeMsMax;
  const expiresAt = isForEver ? null : new Date(expiresAtMs).toISOString();
  return { name: nameOf(person), expiresAt, writes: right > 0 };
}
