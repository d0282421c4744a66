/**
 * What a coded device is told of the folders that its own drive shares, and of groups of people,
 * as the ties have it (given-ties.ts): shown to its user, and told the tree, which gives new
 * secrets to what is moved out of one. Who said it this device cannot check (tie-seals.ts), and how
 * far holders know it devices with the words can tell.
 */
import type { Ino, PersonId } from "../../base/ids.ts";
import { type Log, describe } from "../../base/log.ts";
import type { GivenView, GroupView } from "../../base/views/sharing.ts";
import { type GivenTie, givenIn } from "../given/given-ties.ts";
import { pathText, viewOf } from "../given/given-view.ts";
import { readersBy } from "../given/readers.ts";
import type { Groups } from "../people/groups.ts";
import type { Tied } from "../ties/tied.ts";

export interface CodedGivenNeeds {
  readonly tied: Pick<Tied, "list">;
  readonly log: Log;
  readonly groups: Pick<Groups, "names" | "people">;
  readonly nameOf: (person: PersonId) => string;
}

export class CodedGiven {
  readonly #needs: CodedGivenNeeds;

  constructor(needs: CodedGivenNeeds) {
    this.#needs = needs;
  }

  folders(): readonly Ino[] {
    return this.#all().map(({ ino }) => ino);
  }

  list(): readonly GivenView[] {
    const { groups: { people }, nameOf } = this.#needs;
    return this.#all().filter(({ ways }) => ways.length > 0).map((tie) => ({
      ...viewOf({ ...tie, path: tie.givenAt }, {
        readers: readersBy(tie, people), people, nameOf,
        wrote: () => ({ wroteAt: null, trouble: null, devices: 0 }),
      }),
      told: 0, holders: 0, trouble: null,
    }));
  }

  groups(): readonly GroupView[] {
    const { groups, nameOf } = this.#needs;
    return groups.names().map((name) => {
      const given = this.#all().filter(({ ways }) => {
        return ways.some(({ to }) => to.kind === "group" && to.group === name);
      });
      return {
        name, people: groups.people(name).map(nameOf).sort(),
        folders: given.map(({ givenAt }) => pathText(givenAt)).sort(),
      };
    });
  }

  #all(): readonly GivenTie[] {
    const { tied, log } = this.#needs;
    return givenIn(tied, (key, why) => log.warn("sharing.given-tie", { key, why: describe(why) }));
  }
}
