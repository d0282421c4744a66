/** Holders that are gone for good cost nothing but time. */
import { join } from "node:path";
import { until } from "../../test/support/cli.ts";
import { MiB, begin, fill, must, say, swarm } from "./machine.ts";

/** Two holders killed for good: the class's full redundancy returns without any command. */
export async function repair(): Promise<void> {
  await using machine = await begin("repair");
  await must(machine, ["mount", machine.mount]);
  await fill(join(machine.mount, "file"), 64 * MiB);
  await must(machine, ["flush", "--timeout", "600"]);
  const before = (await machine.status()).survives;
  const holders = (await machine.swarm()).filter(({ shards }) => shards > 0);
  const lost = holders.slice(0, swarm.peers - swarm.n).map(({ number }) => String(number));
  await must(machine, ["swarm", "kill", "--wipe", ...lost]);
  const survives = async () => (await machine.status()).survives ?? 0;
  await until(async () => (await survives()) < (before ?? 0), { seconds: 300, what: "loss seen" });
  say(`  survives fell from ${before} to ${await survives()}`);
  await until(async () => (await survives()) === before, { seconds: 600, what: "repaired" });
  say(`  survives ${before} again`);
}
