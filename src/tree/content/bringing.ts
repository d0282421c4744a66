/**
 * What lies below written bytes, and is with peers alone. A write over a part of it waits for
 * nobody: its bytes stay in memory and in the journal, and the chunk is sealed once peers have
 * given what lies below it. Whatever else was written is sealed and committed meanwhile.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { type Name, nameToText } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import type { LackingFile } from "../../base/views/drive.ts";
import { attempt } from "../attempt.ts";
import { belowOf, lacksBelow } from "../looking/content.ts";
import { pathOf } from "../looking/walking.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import type { Node } from "../state/nodes.ts";
import { bytesIn } from "../state/spans.ts";
import type { State } from "../state/state.ts";
import { sealChunks } from "./sealing.ts";

const { bringPauseMs, lackingBytesMax, sealedAtOnce } = limits.tree;

/** Chunks that cannot be sealed before peers have given something. */
export function lackingChunks(state: State): DirtyChunk[] {
  return [...state.dirtyChunks].filter((chunk) => lacksBelow(state, chunk));
}

/** Those that a root is to have: of a file without a name none has anything. */
export function lackingInRoot(state: State): readonly DirtyChunk[] {
  return lackingChunks(state).filter(({ node }) => node.home.kind !== "none");
}

/** The files that these are of. */
export function lackingFiles(state: State): readonly LackingFile[] {
  const byNode = Map.groupBy(lackingInRoot(state), ({ node }) => node);
  return [...byNode].map(([node, chunks]) => {
    const bytes = chunks.reduce((sum, { top }) => sum + bytesIn(top.spans), 0);
    return { path: pathText(state, node), bytes };
  });
}

/** What whoever wants all of the drive sealed is told when some of that could not be brought. */
export function lackingFault(state: State, cause: HiveError): HiveError {
  const [first, ...others] = lackingFiles(state);
  if (first === undefined) return cause;
  const more = others.length === 0 ? "" : ` and ${others.length} more files`;
  const subject = `parts written in ${first.path}${more} wait for what only peers have`;
  return new HiveError("Unavailable", "tree.lacking", subject, { cause });
}

/** Of a file with several names, one that was met; or else its number. */
function pathText(state: State, node: Node): string {
  const names = node.home.kind === "entry" ? pathOf(node) : knownPath(state, node);
  if (names.length === 0) return `inode ${node.ino}`;
  return names.map((name) => `/${nameToText(name)}`).join("");
}

function knownPath(state: State, { names }: Node): readonly Name[] {
  const met = names.at(-1);
  const parent = met && state.nodes.find(met.parent);
  return met === undefined || parent === undefined ? [] : [...pathOf(parent), met.name];
}

/** So much was written over what is not here that the next such write has to wait for it. */
export function lacksMuch(state: State): boolean {
  const heldBytes = lackingChunks(state).reduce((sum, { top }) => sum + top.heldBytes, 0);
  return heldBytes >= lackingBytesMax;
}

/** A background step: asks peers for what lies below a few of them, and seals those. */
export class Bringer {
  readonly #state: State;
  /** Those whose turn was: what one peer does not give must not keep the others waiting. */
  #tried = new WeakSet<DirtyChunk>();
  #notBeforeMs = 0;
  #isTold = false;

  constructor(state: State) {
    this.#state = state;
  }

  step(): Step {
    return { name: "bring", step: (signal) => this.#step(signal) };
  }

  async #step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { readOnly, needs: { clock } } = this.#state;
    if (readOnly || clock.monotonicMs() < this.#notBeforeMs) return "idle";
    const some = this.#next();
    if (some.length === 0) return "idle";
    const failures = await Promise.all(some.map((chunk) => this.#bring(chunk, signal)));
    const failure = failures.find((one) => one !== undefined);
    if (failure === undefined) {
      this.#isTold = false;
      return "busy";
    }
    if (!signal.aborted) this.#rest(failure);
    return "idle";
  }

  #next(): readonly DirtyChunk[] {
    const lacking = lackingChunks(this.#state);
    const untried = lacking.filter((chunk) => !this.#tried.has(chunk));
    if (untried.length === 0) this.#tried = new WeakSet();
    return (untried.length === 0 ? lacking : untried).slice(0, sealedAtOnce);
  }

  async #bring(chunk: DirtyChunk, signal: AbortSignal): Promise<HiveError | undefined> {
    this.#tried.add(chunk);
    try {
      // Not by sealing alone: that would not hear the signal.
      await attempt(() => void belowOf(this.#state, chunk), signal);
      await sealChunks(this.#state, [chunk]);
      return undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      return error;
    }
  }

  /** Told once until peers answer again. */
  #rest(failure: HiveError): void {
    const { clock, log } = this.#state.needs;
    this.#notBeforeMs = clock.monotonicMs() + bringPauseMs;
    if (!this.#isTold) log.warn("tree.bring", { failed: describe(failure) });
    this.#isTold = true;
  }
}
