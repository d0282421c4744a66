/**
 * What a merge lays beside this tree, and on what terms: all that another device of the drive has,
 * whose word counts as this one's own; or a folder, as somebody has it who may write it and nothing
 * else (folder.ts). How two states become one is the same for all of them (rules.ts).
 */
import type { Loan } from "../../base/devices.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Maybe } from "../../base/step.ts";
import { erasOfBoth } from "../../dag/eras.ts";
import type { Seen } from "../../dag/marks.ts";
import { parseTexts } from "../../dag/policies.ts";
import type { RootRecord } from "../../dag/root.ts";
import { slotOf } from "../looking/slots.ts";
import type { Elsewhere } from "../state/blocks.ts";
import type { Node } from "../state/nodes.ts";
import { recordAsIs } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { attempt } from "../attempt.ts";
import { learn } from "../names/folder-policy.ts";
import type { SlotOf, Step } from "./apply.ts";
import type { Side } from "./facts.ts";
import { Loans } from "./loans.ts";
import type { Policies } from "./resealed.ts";
import type { Comparison, Laid } from "./sides.ts";

export interface Sides {
  readonly ours: Side;
  readonly theirs: Side;
}

export interface Meeting extends Laid, Disposable {
  /** Where its pages are that are not here; without it the store knows. */
  readonly elsewhere?: Elsewhere | undefined;
  /** What it has of every device, as far as that is to be believed. */
  readonly news: Seen;
  /** What it takes away counts among the losses that nobody may have meant. */
  readonly isJudged: boolean;
  /** Of one edit that both have, its copy takes the place of ours. */
  readonly takesTheirs?: boolean;
  /** Where folders have policies, and their copy does so if it alone is sealed for the file's. */
  readonly policies?: Policies;
  /** How many names of one hash it may make of ours; without it, as many as there is room for. */
  readonly crowdMax?: number;
  sidesOf(comparison: Comparison): Sides;
  /** Has what these need here before programs have to wait; absent where nothing is needed. */
  readonly bring?: ((steps: readonly Step[]) => Promise<void>) | undefined;
  /**
   * The steps as they are carried out; fewer of them when the rest is left for another turn, and
   * undefined when something was not brought yet.
   */
  ready(steps: readonly Step[]): Maybe<readonly Step[] | undefined>;
  slots(): SlotOf;
}

/** Another device of this drive. */
export class DeviceMeeting implements Meeting {
  readonly root: RootRecord;
  readonly folder: Node;
  readonly isWhole = true;
  readonly isJudged = false;
  readonly elsewhere: Elsewhere | undefined;
  readonly bring: Meeting["bring"];
  readonly #state: State;
  readonly #loans: Loans | undefined;

  constructor(state: State, root: RootRecord, loan: Loan | undefined) {
    this.#state = state;
    this.root = root;
    this.folder = state.nodes.root;
    const loans = loan && new Loans(state, loan);
    this.#loans = loans;
    this.elsewhere = loans?.elsewhere;
    if (loans !== undefined) this.bring = (steps) => this.#bring(loans, steps);
    else if (this.#hasNewPolicies) this.bring = () => this.#learnTexts();
  }

  [Symbol.dispose](): void {}

  get news(): Seen {
    return this.root.devices;
  }

  sidesOf(comparison: Comparison): Sides {
    return { ours: comparison.ours(), theirs: this.#renumbered(comparison.theirs()) };
  }

  async ready(steps: readonly Step[]): Promise<readonly Step[]> {
    await this.#loans?.check(steps);
    this.#learnPolicies();
    this.#keepEras();
    return steps;
  }

  /** They are told in ours. */
  slots(): SlotOf {
    return (slot) => slot;
  }

  readonly policies: Policies = {
    nameOf: (slot) => this.#namesThen()[slot - 1] ?? "",
    slotOf: (folder) => {
      const node = this.#state.nodes.find(folder);
      return node === undefined ? 0 : slotOf(this.#state, node);
    },
  };

  async #bring(loans: Loans, steps: readonly Step[]): Promise<void> {
    // They come with a block of texts, which lies with peers once the head is published.
    if (this.#hasNewPolicies) {
      throw new HiveError("Unsupported", "tree.merge", "policies that are new here");
    }
    await loans.bring(steps);
  }

  /** With our numbers of policies, or those that they will have here. */
  #renumbered({ facts, seen }: Side): Side {
    const { names } = this.root.policies;
    const all = this.#namesThen();
    if (names.every((name, at) => all[at] === name)) return { facts, seen };
    const ours = (slot: number): number => {
      const name = names[slot - 1];
      return name === undefined ? slot : all.indexOf(name) + 1;
    };
    return {
      seen, facts: new Map([...facts].map(([ino, fact]) => {
        const { inode } = fact;
        const [slot, policy] = [ours(inode.slot), ours(inode.policy)];
        return [ino, { ...fact, inode: { ...inode, slot, policy } }];
      })),
    };
  }

  get #hasNewPolicies(): boolean {
    return this.#namesThen().length > this.#state.policies.names.length;
  }

  /** What a policy that is new here asks for is kept here, too: they may have other texts. */
  async #learnTexts(): Promise<void> {
    const state = this.#state;
    const { texts } = this.root.policies;
    if (texts === undefined) return;
    const theirs = await attempt(() => parseTexts(state.blocks.chunk(texts)));
    const unknown = () => this.#namesThen().slice(state.policies.names.length).flatMap((name) => {
      const text = theirs.get(name);
      return text === undefined ? [] : [[name, text] as const];
    });
    // Somebody may set a policy meanwhile, and then they are still unknown.
    for (let more = unknown(); more.length > 0; more = unknown()) await learn(state, new Map(more));
  }

  /** A name of a policy that is new here gets a number. */
  #learnPolicies(): void {
    const state = this.#state;
    const names = this.#namesThen();
    if (names.length === state.policies.names.length) return;
    recordAsIs(state, [{ kind: "policies", policies: { ...state.policies, names } }]);
  }

  /** Whoever was shut out by another device is shut out here. */
  #keepEras(): void {
    const state = this.#state;
    const { eras } = this.root;
    if (eras.now <= state.eras.now) return;
    recordAsIs(state, [{ kind: "eras", eras: erasOfBoth(state.eras, eras) }]);
    state.reseal(state.nodes.root);
  }

  /** Of policies, in the order of their numbers, once all of theirs are known here. */
  #namesThen(): readonly string[] {
    const { names } = this.#state.policies;
    const more = this.root.policies.names.filter((name) => !names.includes(name));
    return [...names, ...more].slice(0, limits.policy.slotsMax);
  }
}
