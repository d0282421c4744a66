/** A person's id from her keys: what signs for her also names her. */
import { type PersonId, parseOwnerId } from "../base/ids.ts";
import type { PersonKeys } from "../crypt/grants.ts";

export function personIdOf({ signPublic }: Pick<PersonKeys, "signPublic">): PersonId {
  return parseOwnerId(signPublic.toString("hex"));
}
