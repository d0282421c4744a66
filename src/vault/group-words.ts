/**
 * What the vault keeps of a group beside its manifest: the log of replacements that its members
 * accepted, the text of its policy to judge by while the owner is away, and this member's own
 * ballot. Log and ballot end with a newer manifest; a text goes when another policy comes. It
 * makes changes and tells their weight; the word-keeper writes them in its own batches.
 */
import { createHash } from "node:crypto";
import type { KeyChange } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { GroupId, OwnerId } from "../base/ids.ts";
import type { Manifest } from "../base/records.ts";
import { decodeBallot, encodeBallot } from "../guard/ballot-bytes.ts";
import { type GroupLog, baseOf } from "../guard/log.ts";
import { decodeLog, encodeLog } from "../guard/messages.ts";
import { type Ballot, freshBallot } from "../guard/voter.ts";
import { type WordKind, dropWord, putWord } from "./book-entries.ts";
import type { Books } from "./books.ts";

/** Changes of one batch, and how much more the owner takes up by them. */
export interface Weighed {
  readonly changes: readonly KeyChange[];
  readonly bytes: number;
}

type Name = Pick<Manifest, "owner" | "group">;

const nothing: Weighed = { changes: [], bytes: 0 };

export class GroupWords {
  readonly #books: Books;

  constructor(books: Books) {
    this.#books = books;
  }

  /** As it was accepted: what is written was checked. */
  async log({ owner, group }: Name): Promise<GroupLog> {
    const bytes = await this.#books.word("log", owner, group);
    return bytes === undefined ? [] : decodeLog(bytes);
  }

  /** The text that the manifest's hash names; undefined when it never came. */
  async policy({ owner, group, policyHash }: Manifest): Promise<Uint8Array | undefined> {
    const text = await this.#books.word("policy", owner, group);
    return text !== undefined && hashOf(text) === policyHash ? text : undefined;
  }

  /** A member that the owner told of the manifest has said nothing under it yet. */
  async ballot(manifest: Manifest): Promise<Ballot> {
    const bytes = await this.#books.word("ballot", manifest.owner, manifest.group);
    return bytes === undefined ? freshBallot(baseOf(manifest)) : decodeBallot(bytes);
  }

  /** Weighs nothing: there is one for each manifest, and it has no choice of length. */
  putBallot(name: Name, ballot: Ballot): KeyChange {
    return putWord("ballot", name, encodeBallot(ballot));
  }

  putLog(name: Name, log: GroupLog): Promise<Weighed> {
    return this.#put("log", name, encodeLog(log));
  }

  async putPolicy(manifest: Manifest, text: Uint8Array): Promise<Weighed> {
    if (hashOf(text) !== manifest.policyHash) return nothing;
    if (await this.policy(manifest) !== undefined) return nothing;
    return this.#put("policy", manifest, text);
  }

  /** When a newer manifest takes the place of this one; undefined when the group is forgotten. */
  async end({ owner, group, policyHash }: Manifest, next?: Manifest): Promise<Weighed> {
    const isSame = next?.policyHash === policyHash;
    const ending = isSame ? ["log", "ballot"] as const : ["log", "ballot", "policy"] as const;
    let bytes = 0;
    for (const kind of ending) {
      if (kind !== "ballot") bytes -= await this.#sizeOf(kind, owner, group);
    }
    return { changes: ending.map((kind) => dropWord(kind, owner, group)), bytes };
  }

  async #put(kind: WordKind, name: Name, value: Uint8Array): Promise<Weighed> {
    const bytes = value.length - await this.#sizeOf(kind, name.owner, name.group);
    return { changes: [putWord(kind, name, asBuffer(value))], bytes };
  }

  async #sizeOf(kind: WordKind, owner: OwnerId, group: GroupId): Promise<number> {
    return (await this.#books.word(kind, owner, group))?.length ?? 0;
  }
}

function hashOf(text: Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}
