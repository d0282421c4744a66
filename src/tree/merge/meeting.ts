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
import type { RootRecord } from "../../dag/root.ts";
import type { Elsewhere } from "../state/blocks.ts";
import type { Node } from "../state/nodes.ts";
import { recordAsIs } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import type { SlotOf, Step } from "./apply.ts";
import type { Side } from "./facts.ts";
import { Loans } from "./loans.ts";
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
    this.bring = loans && ((steps) => this.#bring(loans, steps));
  }

  [Symbol.dispose](): void {}

  get news(): Seen {
    return this.root.devices;
  }

  sidesOf(comparison: Comparison): Sides {
    return { ours: comparison.ours(), theirs: comparison.theirs() };
  }

  async ready(steps: readonly Step[]): Promise<readonly Step[]> {
    await this.#loans?.check(steps, this.#slots);
    this.#learnPolicies();
    this.#keepEras();
    return steps;
  }

  slots(): SlotOf {
    return this.#slots;
  }

  async #bring(loans: Loans, steps: readonly Step[]): Promise<void> {
    // They come with a block of texts, which lies with peers once the head is published.
    if (this.#newPolicies().length > 0) {
      throw new HiveError("Unsupported", "tree.merge", "policies that are new here");
    }
    await loans.bring(steps, this.#slots);
  }

  /** Their number of a policy's name, as ours. */
  readonly #slots: SlotOf = (slot) => {
    const name = this.root.policies.names[slot - 1];
    return name === undefined ? slot : this.#state.policies.names.indexOf(name) + 1;
  };

  /** A name of a policy that is new here gets a number. */
  #learnPolicies(): void {
    const state = this.#state;
    const more = this.#newPolicies();
    if (more.length === 0) return;
    const names = [...state.policies.names, ...more].slice(0, limits.policy.slotsMax);
    const texts = state.policies.texts ?? this.root.policies.texts;
    recordAsIs(state, [{ kind: "policies", policies: { ...state.policies, names, texts } }]);
  }

  /** Whoever was shut out by another device is shut out here. */
  #keepEras(): void {
    const state = this.#state;
    const { eras } = this.root;
    if (eras.now <= state.eras.now) return;
    recordAsIs(state, [{ kind: "eras", eras: erasOfBoth(state.eras, eras) }]);
    state.reseal(state.nodes.root);
  }

  #newPolicies(): readonly string[] {
    const { names } = this.#state.policies;
    return this.root.policies.names.filter((name) => !names.includes(name));
  }
}
