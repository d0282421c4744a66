/**
 * The folders of this drive that others may read. Sharing one moves nothing but a grant; from then
 * on each head of the drive is followed by a record of the folder, sealed to its readers, which the
 * holders keep (giving.ts). Shutting somebody out is the next record: holders refuse him from then
 * on, and whatever it says is under a key that he has not. What the owner says of folders and of
 * groups are ties (given-ties.ts): whichever device it is said on, all follow it. Who reads follows
 * from that and from who is in which group now (ways.ts).
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { HiveError } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { Ino, Name, PersonId, ShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { GiveQuestion, Grant, Loss, RevokeQuestion } from "../../base/sharing.ts";
import type { GivenView } from "../../base/views/sharing.ts";
import type { FolderRight } from "../../crypt/drive/write-right.ts";
import { type PersonKeys, sealGrant } from "../../crypt/records/grants.ts";
import { signGrant } from "../../crypt/records/share-records.ts";
import type { Contact } from "../people/contacts.ts";
import type { Groups } from "../people/groups.ts";
import type { InboxEntry } from "../records/inbox-payload.ts";
import { personIdOf } from "../records/person-keys.ts";
import type { TieChange } from "../ties/tied.ts";
import { decodePath, renewalKey } from "./given-books.ts";
import { GivenFolders, type GivenFoldersNeeds } from "./given-folders.ts";
import { rightFor, secretFor, grantedToVerifier } from "./given-keys.ts";
import { GivenTending, type GivenTendingNeeds } from "./given-tending.ts";
import { folderTie } from "./given-ties.ts";
import { type GivenFacts, nameOfFolder, pathText, viewOf } from "./given-view.ts";
import type { GivenShare, Giving } from "./giving.ts";
import { writersIn } from "./readers.ts";
import { type Audience, type GivenWay, type MembersOf, type Verifier, isSameAudience, lost,
  reachOf, verifiersIn } from "./ways.ts";

const { readersMax, sharesMax, grantPeersMax } = limits.sharing;

export interface GivenNeeds extends GivenFoldersNeeds, Omit<GivenTendingNeeds, "folders"> {
  readonly person: PersonKeys;
  readonly groups: Groups;
}

/** Somebody who may write a folder of this drive. */
export interface GivenGuest {
  readonly share: ShareId;
  readonly ino: Ino;
  readonly person: PersonId;
  readonly number: number;
  readonly right: FolderRight;
}

export interface Verified extends Pick<GivenShare, "share" | "ino" | "path"> {
  readonly verifiers: readonly Verifier[];
}

/** What is given, to whomever. */
export type Giveaway = Omit<GiveQuestion, "who">;

/** People who come into a group or leave it. */
export interface GroupChange {
  readonly group: string;
  readonly people: readonly PersonId[];
}

/** Those who would lose a folder. */
export interface GivenLoss extends Pick<Loss, "ino" | "path"> {
  readonly people: readonly PersonId[];
}

export class Given {
  readonly #needs: GivenNeeds;
  readonly #folders: GivenFolders;
  readonly #tending: GivenTending;
  readonly #turn = new Gate({ seats: 1, queueMax: 64 });
  /** Whoever waits for the turn need not wait for holders that do not answer. */
  #hurry = new AbortController();

  constructor(needs: GivenNeeds) {
    this.#needs = needs;
    this.#folders = new GivenFolders(needs);
    this.#tending = new GivenTending({ ...needs, folders: this.#folders });
  }

  async open(): Promise<void> {
    await this.#folders.open();
    this.#needs.tied.onChange(async () => {
      using _turn = await this.#enter();
      await this.#folders.follow();
    });
  }

  /** For one more reader, or the same one for another time. */
  async give(asked: Giveaway, to: Contact): Promise<Grant> {
    const { share, rights } = await this.#allow(asked, { kind: "person", person: to.person });
    const { shareSecret } = this.#needs.keys;
    const { person } = to;
    const isVerifier = asked.gives === "verify";
    const right = rights.get(person) ?? 0;
    const what = isVerifier
      ? grantedToVerifier(shareSecret, { share, person })
      : { share, secret: secretFor(shareSecret, { share, person, right }) };
    const gives = isVerifier ? "verify" : right > 0 ? "write" : "read";
    return this.#sign({ ...what, gives, name: nameOfFolder(asked.path) }, to);
  }

  /** For all who are in it, and will be: they find it in their inboxes. */
  async giveGroup(asked: Giveaway, group: string): Promise<void> {
    if (asked.gives === "verify") {
      throw new HiveError("Unsupported", "sharing.give", "to verify, for a group");
    }
    await this.#allow(asked, { kind: "group", group });
  }

  /** Who verifies which folder; nobody, of one that had some before. */
  verified(): readonly Verified[] {
    return this.#folders.all().map((giving) => {
      const { share, ino, path } = giving.given;
      return { share, ino, path, verifiers: giving.verifiers() };
    });
  }

  /** Those who may write just now, and whose writing this device takes in. */
  guests(): readonly GivenGuest[] {
    const { keys: { shareSecret }, clock, keepers } = this.#needs;
    return this.#folders.all().filter(({ given }) => keepers.isOurs(given)).flatMap((giving) => {
      const { share, ino } = giving.given;
      return writersIn(giving.readers(), clock.now()).map(({ person, right: number }) => {
        const right = rightFor(shareSecret, { share, person, number });
        return { share, ino, person, number, right };
      });
    });
  }

  /** What the groups that she is in give somebody. */
  inboxOf(person: PersonId): readonly InboxEntry[] {
    const { keys: { shareSecret }, clock } = this.#needs;
    const entries = this.#folders.all().flatMap((giving) => {
      const { share, path, ways, rights } = giving.given;
      const lasting = ways.filter(({ expiresAtMs }) => expiresAtMs > clock.now());
      const reach = giving.reachBy(lasting).find((one) => one.person === person);
      if (reach === undefined || reach.groups.length === 0) return [];
      const right = rights.get(person) ?? 0;
      const secret = secretFor(shareSecret, { share, person, right });
      return [{ share, writes: right > 0, secret, name: nameOfFolder(path) }];
    });
    return entries.slice(0, sharesMax);
  }

  /** Those who would read no more if it were taken from this person or group. */
  lossesOf(ino: Ino | undefined, from: Audience): readonly GivenLoss[] {
    const those = ino === undefined ? [] : this.#folders.of(ino);
    return those.flatMap((giving) => {
      const { ways } = giving.given;
      const staying = without(ways, from);
      return lossesIn(giving.given, lost(giving.reachBy(ways), giving.reachBy(staying)));
    });
  }

  /** The same of people who are to leave a group. */
  lossesBy(change: GroupChange): readonly GivenLoss[] {
    return this.#folders.withGroup(change.group).flatMap(({ given }) => {
      return lossesIn(given, this.#lostBy(change, given));
    });
  }

  /** It is so with all holders that answer when this resolves. */
  async revoke(
    { ino, path }: Omit<RevokeQuestion, "who">, from: Audience, signal: AbortSignal,
  ): Promise<void> {
    using _turn = await this.#enter();
    const folders = this.#folders;
    const there = ino === undefined ? folders.at(path) : folders.of(ino);
    const those = there.filter(({ given: { ways } }) => without(ways, from).length < ways.length);
    if (those.length === 0) {
      throw new HiveError("NotFound", "sharing.revoke", "not shared with that person or group");
    }
    if (ino !== undefined) for (const giving of those) await giving.move(path);
    const changes = await Promise.all(those.map((giving) => {
      return folders.waysOf(giving, without(giving.given.ways, from));
    }));
    // Of a folder that is not there any more there is nothing to renew.
    const told = [...changes.flat(), ...this.#forgetting(from, those)];
    await folders.say(told, { renews: ino !== undefined });
    await Promise.all(those.map((giving) => giving.follow(signal)));
  }

  /** All folders of the group have room for them, or nothing happens. */
  async join({ group, people }: GroupChange): Promise<void> {
    using _turn = await this.#enter();
    const { groups } = this.#needs;
    const shares = this.#folders.withGroup(group);
    const joined = [...new Set([...groups.people(group), ...people])];
    const then: MembersOf = (one) => one === group ? joined : groups.people(one);
    const isFull = shares.some(({ given }) => reachOf(given.ways, then).length > readersMax);
    if (isFull) throw new HiveError("Quota", "sharing.group", `${readersMax} readers`);
    const rights = await this.#folders.rightsOf(shares, then);
    await this.#folders.say([...groups.adding(group, people), ...rights]);
  }

  /** As `revoke` does it for each of them and each folder, unless they read it otherwise. */
  async leave({ group, people }: GroupChange, signal: AbortSignal): Promise<void> {
    using _turn = await this.#enter();
    const shares = this.#folders.withGroup(group);
    const leaving = this.#needs.groups.removing(group, people, { stays: shares.length > 0 });
    const rights = await this.#folders.rightsOf(shares, this.#after({ group, people }));
    await this.#folders.say([...leaving, ...rights]);
    await Promise.all(shares.map((giving) => giving.follow(signal)));
  }

  /** Where to begin again after a crash. */
  async renewing(): Promise<readonly (readonly Name[])[]> {
    const found: (readonly Name[])[] = [];
    const renewals = this.#needs.books.list(sharingKeys.renewal);
    for await (const [, value] of renewals) found.push(decodePath(value));
    return found;
  }

  /** Of a folder for which others may write from now on. */
  async tellAnew(share: ShareId): Promise<void> {
    using _turn = await this.#enter();
    this.#folders.all().find(({ given }) => given.share === share)?.tellAnew();
  }

  folders(): readonly Ino[] {
    return this.#folders.all().map(({ given }) => given.ino);
  }

  async renewed(path: readonly Name[]): Promise<void> {
    await this.#needs.books.delete(renewalKey(path));
  }

  /** After each head, and whenever readers changed, all holders hear of it. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    using _turn = await this.#turn.enter(signal);
    this.#hurry = new AbortController();
    const until = AbortSignal.any([signal, this.#hurry.signal]);
    for (const giving of this.#folders.all()) {
      if (until.aborted) break;
      await this.#tending.tend(giving);
      await giving.follow(until);
    }
    for (const giving of this.#folders.leaving()) {
      if (until.aborted) break;
      await giving.follow(until);
      await this.#folders.letGo(giving);
    }
    return "idle";
  }

  list(
    nameOf: (person: PersonId) => string, wrote: GivenFacts["wrote"] = nothing,
  ): readonly GivenView[] {
    const { members, groups } = this.#needs;
    const holders = members();
    const shown = this.#folders.all().filter(({ given }) => given.ways.length > 0);
    return shown.map((giving) => ({
      ...viewOf(giving.given, { readers: giving.readers(), people: groups.people, nameOf, wrote }),
      told: holders.filter((peer) => giving.isToldTo(peer)).length,
      holders: holders.length,
      trouble: giving.trouble,
    }));
  }

  /** The folders that are shared with a person or a group, as people write them. */
  foldersOf(to: Audience): readonly string[] {
    const found = this.#folders.all().filter(({ given }) => hasWay(given, to));
    return found.map(({ given }) => pathText(given.path)).sort();
  }

  /** Everybody whom a folder is shared with otherwise than through a group. */
  people(): readonly PersonId[] {
    const all = this.#folders.all().flatMap(({ given: { ways } }) => ways.map(({ to }) => to));
    return all.flatMap((to) => to.kind === "person" ? [to.person] : []);
  }

  async #allow(
    { path, ino, expiresAtMs, gives = "read" }: Giveaway, to: Audience,
  ): Promise<GivenShare> {
    using _turn = await this.#enter();
    const folders = this.#folders;
    const known = folders.of(ino).find(({ given }) => hasWay(given, to)) ?? folders.of(ino)[0];
    const begun = known === undefined ? await folders.begin(ino, path) : undefined;
    const { giving, changes } = begun ?? { giving: known as Giving, changes: [] };
    const way = { to, expiresAtMs: expiresAtMs ?? limits.records.timeMsMax, gives };
    const ways = [...without(giving.given.ways, to), way];
    checkWays(giving, ways);
    await giving.move(path);
    // Who gives it now is about: this device sees to it from now on.
    const folder = folderTie({ ...giving.given, givenAt: path, keeper: this.#needs.self });
    const told = [...changes, folder, ...await folders.waysOf(giving, ways)];
    await folders.say(told, begun === undefined ? {} : { fresh: giving });
    return giving.given;
  }

  /** A group without anybody is one only for the sake of what is shared with it. */
  #forgetting(from: Audience, ending: readonly Giving[]): readonly TieChange[] {
    if (from.kind === "person") return [];
    const stays = this.#folders.withGroup(from.group).some((giving) => !ending.includes(giving));
    return this.#needs.groups.removing(from.group, [], { stays });
  }

  #sign(
    told: Pick<Grant, "share" | "gives" | "name"> & { readonly secret: Uint8Array }, to: Contact,
  ): Grant {
    const { keys, person, members } = this.#needs;
    const { secret, ...grant } = told;
    return signGrant(person, {
      ...grant, from: personIdOf(person), to: to.person, owner: keys.owner,
      peers: members().slice(0, grantPeersMax), sealed: sealGrant(to.sealPublic, secret),
    });
  }

  #lostBy(change: GroupChange, { ways }: GivenShare): readonly PersonId[] {
    return lost(reachOf(ways, this.#needs.groups.people), reachOf(ways, this.#after(change)));
  }

  /** Who is in which group when these have left. */
  #after({ group, people }: GroupChange): MembersOf {
    const { groups } = this.#needs;
    const staying = groups.people(group).filter((person) => !people.includes(person));
    return (name) => name === group ? staying : groups.people(name);
  }

  #enter(): Promise<Disposable> {
    this.#hurry.abort(new HiveError("Interrupted", "sharing.tell", "readers changed"));
    return this.#turn.enter();
  }
}

const nothing = () => ({ wroteAt: null, trouble: null, devices: 0 });

/** Taking away is another matter: what she knows is to be renewed. */
function checkWays(giving: Giving, ways: readonly GivenWay[]): void {
  const reaches = giving.reachBy(ways);
  const isLess = lost(giving.reachBy(giving.given.ways), reaches).length > 0;
  if (isLess) throw new HiveError("Exists", "sharing.give", "reads it, which contains that");
  if (Math.max(reaches.length, verifiersIn(ways).length) > readersMax) {
    throw new HiveError("Quota", "sharing.give", `${readersMax} people`);
  }
}

function hasWay({ ways }: GivenShare, to: Audience): boolean {
  return ways.some((way) => isSameAudience(way.to, to));
}

function without(ways: readonly GivenWay[], to: Audience): readonly GivenWay[] {
  return ways.filter((way) => !isSameAudience(way.to, to));
}

function lossesIn(
  { ino, path }: GivenShare, people: readonly PersonId[],
): readonly GivenLoss[] {
  return people.length === 0 ? [] : [{ ino, path, people }];
}
