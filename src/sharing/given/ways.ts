/**
 * By what somebody reads a folder: pure. A way is what the owner said, to a person or to a group. A
 * person reads as long as any of her ways lasts that is for more than verifying, and writes as long
 * as one lasts that is for writing; whoever leaves a group loses the ways of that group and no
 * others.
 */
import type { PersonId } from "../../base/ids.ts";
import type { Capability } from "../../base/sharing.ts";

export type Audience =
  | { readonly kind: "person"; readonly person: PersonId }
  | { readonly kind: "group"; readonly group: string };

export interface GivenWay {
  readonly to: Audience;
  readonly expiresAtMs: number;
  readonly gives: Capability;
}

/** What all ways of one person come to. */
export interface Reach {
  readonly person: PersonId;
  readonly expiresAtMs: number;
  /** 0 for one who only reads. */
  readonly writesUntilMs: number;
  readonly groups: readonly string[];
  /** She would read without any group. */
  readonly isDirect: boolean;
}

export interface Verifier {
  readonly person: PersonId;
  readonly expiresAtMs: number;
}

/** Who is in a group. */
export type MembersOf = (group: string) => readonly PersonId[];

export function reachOf(ways: readonly GivenWay[], membersOf: MembersOf): readonly Reach[] {
  const reaches = new Map<PersonId, Reach>();
  for (const way of ways) {
    if (way.gives === "verify") continue;
    for (const person of peopleOf(way.to, membersOf)) {
      reaches.set(person, joined(reaches.get(person) ?? nothing(person), way));
    }
  }
  return [...reaches.values()];
}

/** Those who verify it and do no more. */
export function verifiersIn(ways: readonly GivenWay[]): readonly Verifier[] {
  return ways.flatMap(({ to, gives, expiresAtMs }) => {
    const isOne = gives === "verify" && to.kind === "person";
    return isOne ? [{ person: to.person, expiresAtMs }] : [];
  });
}

/** Those who read by the former and not by the latter. */
export function lost(before: readonly Reach[], after: readonly Reach[]): readonly PersonId[] {
  const staying = new Set(after.map(({ person }) => person));
  return before.map(({ person }) => person).filter((person) => !staying.has(person));
}

export function isSameAudience(one: Audience, other: Audience): boolean {
  return nameOf(one) === nameOf(other);
}

function nameOf(to: Audience): string {
  return to.kind === "person" ? `person ${to.person}` : `group ${to.group}`;
}

function peopleOf(to: Audience, membersOf: MembersOf): readonly PersonId[] {
  return to.kind === "person" ? [to.person] : membersOf(to.group);
}

function nothing(person: PersonId): Reach {
  return { person, expiresAtMs: 0, writesUntilMs: 0, groups: [], isDirect: false };
}

function joined(reach: Reach, { to, expiresAtMs, gives }: GivenWay): Reach {
  const writesUntilMs = gives === "write" ? expiresAtMs : 0;
  return {
    ...reach,
    expiresAtMs: Math.max(reach.expiresAtMs, expiresAtMs),
    writesUntilMs: Math.max(reach.writesUntilMs, writesUntilMs),
    groups: to.kind === "group" ? [...reach.groups, to.group] : reach.groups,
    isDirect: reach.isDirect || to.kind === "person",
  };
}
