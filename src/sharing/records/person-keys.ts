/** A person's id from her keys: what signs for her also names her. */
import { type PersonId, parseOwnerId } from "../../base/ids.ts";
import type { PersonKeys } from "../../crypt/records/grants.ts";

/** A person certifies devices as a drive does. */
export function asSigner(person: PersonKeys) {
  return { owner: personIdOf(person), sign: (message: Uint8Array) => person.sign(message) };
}

export function personIdOf({ signPublic }: Pick<PersonKeys, "signPublic">): PersonId {
  return parseOwnerId(signPublic.toString("hex"));
}
