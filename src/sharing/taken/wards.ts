/**
 * The folders of others that this machine's person may verify: for each, which groups keep it, as
 * its owner says. She has no key to any of it; what is looked at and mended there is the agent's
 * (agent/mending/tending.ts). A grant to verify is taken up and followed as one to read is.
 *
 *   v/OWNER/SHARE  bytes name | bytes grant | bytes newest record, empty before the first
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { type OwnerId, type PeerId, nameFromText, nameToText } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Grant, Ward } from "../../base/sharing.ts";
import type { WardView } from "../../base/views/sharing.ts";
import { parseGrant } from "../../crypt/records/share-records.ts";
import { Follower, askNewer, dueOf } from "../following/follower.ts";
import { type Held, type OpenedLetter, openForVerifier, takeGrant } from "../records/opened.ts";
import type { OwnInboxesNeeds } from "./own-inboxes.ts";

/** As it takes to follow an inbox; unlike that, it is this device's own. */
export type WardsNeeds = Omit<OwnInboxesNeeds, "tied" | "self">;

interface Followed {
  readonly name: string;
  readonly grant: Grant;
  readonly held: Held;
  readonly follower: Follower;
  opened: OpenedLetter | undefined;
}

export class Wards {
  readonly #needs: WardsNeeds;
  #all: readonly Followed[] = [];

  constructor(needs: WardsNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list(sharingKeys.ward)) {
      const reader = new Reader(value, "sharing.ward");
      const [name, grant, record] = [reader.bytes().toString(), reader.bytes(), reader.bytes()];
      reader.end();
      const one = this.#begin(name, parseGrant(grant));
      if (record.length > 0) one.opened = openForVerifier(one.held, record, 0);
    }
  }

  async accept(grant: Grant, given: string | null): Promise<string> {
    const name = nameToText(nameFromText(given ?? grant.name));
    const known = this.#all.find((one) => placeOf(one.grant) === placeOf(grant));
    if (known !== undefined) return known.name;
    const isTaken = this.#all.some((one) => one.name === name);
    if (isTaken) throw new HiveError("Exists", "sharing.accept", name);
    if (this.#all.length >= limits.sharing.wardsMax) {
      throw new HiveError("Quota", "sharing.accept", "folders to verify");
    }
    await this.#keep(this.#begin(name, grant));
    return name;
  }

  /** False where it is none of these. */
  async forget(name: string): Promise<boolean> {
    const found = this.#all.find((one) => one.name === name);
    if (found === undefined) return false;
    this.#all = this.#all.filter((one) => one !== found);
    await this.#needs.books.delete(`${sharingKeys.ward}${placeOf(found.grant)}`);
    return true;
  }

  wards(): readonly Ward[] {
    return this.#all.map(({ name, grant, opened }) => ({
      name, owner: grant.owner, groups: opened?.groups, keepers: this.#keepersOf(grant),
      isTended: true,
    }));
  }

  list(nameOf: (from: Held["grant"]) => string): readonly WardView[] {
    return this.#all.map(({ name, grant, opened, follower }) => ({
      name, from: nameOf(grant), tended: null,
      trouble: follower.trouble ?? (opened === undefined ? "waits for its first state" : null),
    }));
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    if (this.#all.length === 0) return "idle";
    const due = await dueOf(this.#all, this.#needs.clock, signal);
    await Promise.all(due.map((one) => one.follower.look((peer) => this.#ask(one, peer, signal))));
    return "busy";
  }

  #begin(name: string, grant: Grant): Followed {
    const { person } = this.#needs;
    const follower = new Follower(this.#needs, {
      members: () => this.#needs.keepersOf(grant.owner), first: grant.peers,
    });
    const held = takeGrant(person, grant);
    const one: Followed = { name, grant, held, follower, opened: undefined };
    this.#all = [...this.#all, one];
    return one;
  }

  #keepersOf({ owner, peers }: { readonly owner: OwnerId; readonly peers: readonly PeerId[] }) {
    return [...new Set([...this.#needs.keepersOf(owner), ...peers])];
  }

  async #ask(one: Followed, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { grant, held, opened } = one;
    const known = opened?.record.sequence ?? 0;
    const answer = await askNewer(this.#needs.network, { grant, known, peer }, signal);
    if (answer === undefined) return;
    one.opened = openForVerifier(held, answer, known);
    await this.#keep(one);
  }

  /** One that was forgotten meanwhile stays so. */
  async #keep(one: Followed): Promise<void> {
    if (!this.#all.includes(one)) return;
    const writer = new Writer(4096).bytes(Buffer.from(one.name)).bytes(one.grant.bytes);
    writer.bytes(one.opened?.record.bytes ?? Buffer.alloc(0));
    await this.#needs.books.put(`${sharingKeys.ward}${placeOf(one.grant)}`, writer.finish());
  }
}

function placeOf({ owner, share }: Pick<Grant, "owner" | "share">): string {
  return `${owner}/${share}`;
}
