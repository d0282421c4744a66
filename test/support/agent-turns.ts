/** Hours in the life of an agent, played by a clock that a test moves. */
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks, openWorld } from "./transfer-world.ts";

export const hourMs = 3_600_000;
/** Three days of silence are a death, whatever the peer's habits are. */
export const hourly = { auditIntervalMs: hourMs, deadAfterMs: 72 * hourMs };

export interface Tended {
  readonly transfer: Transfer;
  readonly agent: Agent;
  readonly clock: ShiftedClock;
  /** The agent's. */
  readonly books: MemoryBooks;
  readonly blocks: readonly Uint8Array[];
}

/** A drive whose blocks are all placed, and the agent that looks after them. */
export async function openTended(
  world: World, told: { readonly count: number; readonly bytesMax: number },
): Promise<Tended> {
  const clock = new ShiftedClock();
  const transfer = await openWorld(world, { clock });
  const books = new MemoryBooks();
  const agent = await openAgent({ ...world, transfer, books, clock, log: silentLog }, hourly);
  const blocks = makeBlocks(world.random, told);
  world.source.commit("root", blocks);
  await transfer.flush(20_000);
  return { transfer, agent, clock, books, blocks };
}

/** So many hours go by before our eyes, in which nothing but repair looks around. */
export async function watch(agent: Agent, clock: ShiftedClock, hours: number): Promise<void> {
  const repair = agent.steps.find(({ name }) => name === "repair");
  const { signal } = new AbortController();
  await pass(agent, clock, 1);
  for (let look = 0; look < hours * 8; look++) {
    clock.shiftMs += hourMs / 8;
    await repair?.step(signal);
  }
}

/** So many audit intervals, in each of which every step runs until it has nothing to do. */
export async function pass(agent: Agent, clock: ShiftedClock, intervals: number): Promise<void> {
  for (let interval = 0; interval < intervals; interval++) {
    clock.shiftMs += hourMs + 1;
    await oneTurn(agent);
  }
}

/** Every step, until it has nothing to do. */
export async function oneTurn(agent: Agent): Promise<void> {
  const { signal } = new AbortController();
  for (const step of agent.steps) {
    for (let turns = 0; turns < 50 && await step.step(signal) === "busy"; turns++);
  }
}
