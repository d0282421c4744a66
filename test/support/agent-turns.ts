/** Hours in the life of an agent, played by a clock that a test moves. */
import type { Agent } from "../../src/agent/agent.ts";
import type { ShiftedClock } from "./transfer-world.ts";

const hourMs = 3_600_000;

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
  const { signal } = new AbortController();
  for (let interval = 0; interval < intervals; interval++) {
    clock.shiftMs += hourMs + 1;
    for (const step of agent.steps) {
      for (let turns = 0; turns < 50 && await step.step(signal) === "busy"; turns++);
    }
  }
}
