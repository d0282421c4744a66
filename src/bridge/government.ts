/**
 * Between the tree, which knows what every folder asks for, the user's files, which say what that
 * means, and the node, which has to obey. A round goes up with the names of its slots, and never
 * before the node was told what is in force under them. A policy whose file is not on this machine,
 * as after a recovery, has the text that the drive keeps.
 */
import type { RoundOptions, SlotName, UploadRound } from "../base/blocks.ts";
import { isFault } from "../base/errors.ts";
import type { NodeDuties } from "../base/node.ts";
import type { PathPolicy, PolicyTexts } from "../base/views/policies.ts";

/** What is asked of the tree. */
interface Folders {
  policyAt(path: readonly string[]): Promise<{
    readonly name: string | undefined; readonly folder: readonly string[] | undefined;
  }>;
  policies(): readonly SlotName[];
  collectSoon(): void;
  policyTexts(): Promise<ReadonlyMap<string, string>>;
  refreshPolicyTexts(): Promise<void>;
  /** On: nothing goes up before somebody says that it may. */
  readonly brake: { readonly isOn: boolean };
}

export class Government {
  #texts: PolicyTexts;
  #folders: Folders | undefined;
  #node: Pick<NodeDuties, "govern" | "explainPolicy"> | undefined;
  /** What the node was told last. */
  #told: string | undefined;

  constructor(texts: PolicyTexts) {
    this.#texts = texts;
  }

  /** The text of the user's policy of this name. */
  textOf(name: string): string | undefined {
    return this.#texts.named[name];
  }

  /** Whoever wrote blocks can be asked what they go by. */
  async begin(
    folders: Folders, node: Pick<NodeDuties, "govern" | "explainPolicy">,
  ): Promise<void> {
    this.#node = node;
    this.#folders = folders;
    await this.govern(this.#texts);
  }

  /** The user's files say something else now: the drive keeps it, and the node goes by it. */
  async govern(texts: PolicyTexts): Promise<void> {
    this.#texts = texts;
    await this.#folders?.refreshPolicyTexts();
    await this.#inform();
  }

  /** A round that tells the names of its slots. Before the tree is open nobody knows them. */
  async round(
    begin: () => Promise<UploadRound | undefined>, { stuck = false }: RoundOptions = {},
  ): Promise<UploadRound | undefined> {
    const folders = this.#folders;
    if (stuck) folders?.collectSoon();
    const mayBegin = folders !== undefined && !folders.brake.isOn;
    const round = mayBegin ? await begin() : undefined;
    if (folders === undefined || round === undefined) return undefined;
    await this.#inform();
    const policies = folders.policies();
    return policies.length === 0 ? round : { ...round, policies };
  }

  /** The policy that a path goes by, and the folder that says so. */
  async at(path: readonly string[]): Promise<PathPolicy> {
    const found = await this.#folders?.policyAt(path);
    const { drive, named } = await this.#all();
    const text = found?.name === undefined ? drive : named[found.name];
    const names = found?.folder?.map((name) => Buffer.from(name, "latin1").toString("utf8"));
    const folder = names === undefined ? null : `/${names.join("/")}`;
    return { policy: found?.name ?? null, folder, text: text ?? null };
  }

  /**
   * Of the names that anything goes by ("" is the whole drive's), those under which nothing more is
   * to be taken, and why: their policies refuse, and even all known peers are too few. The built-in
   * policy was chosen by nobody, and refuses nothing.
   */
  async refusals(): Promise<ReadonlyMap<string, string>> {
    const { drive, named } = await this.#all();
    const folders = this.#folders?.policies().filter(({ slot }) => slot > 0) ?? [];
    const asked = [{ name: "", text: drive }, ...folders.map(({ name }) => {
      return { name, text: named[name] };
    })];
    const found = new Map<string, string>();
    for (const { name, text } of asked) {
      if (text === undefined) continue;
      const report = await this.#node?.explainPolicy({ text, peer: null });
      if (report?.unsatisfiable !== "refuse" || report.hopeless === null) continue;
      found.set(name, report.hopeless);
    }
    return found;
  }

  async #inform(): Promise<void> {
    const texts = await this.#all();
    const told = JSON.stringify(texts);
    if (told === this.#told) return;
    await this.#node?.govern(texts);
    this.#told = told;
  }

  /** The root's own policy is the whole drive's, and takes the place of what the settings say. */
  async #all(): Promise<PolicyTexts> {
    const policies = this.#folders?.policies() ?? [];
    const { named, problem } = this.#texts;
    const isMissing = policies.some(({ name }) => named[name] === undefined);
    const all = { ...(isMissing ? await this.#kept() : {}), ...named };
    const root = policies.find(({ slot }) => slot === 0);
    const drive = root === undefined ? this.#texts.drive : all[root.name] ?? this.#texts.drive;
    return { drive, named: all, problem };
  }

  /** What only peers have may be had later: until then nothing goes by it. */
  async #kept(): Promise<Record<string, string>> {
    try {
      return Object.fromEntries(await this.#folders?.policyTexts() ?? []);
    } catch (error) {
      if (!isFault(error)) throw error;
      return {};
    }
  }
}
