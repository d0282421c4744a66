/** What others see of a drive: nothing that its owner wrote. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { run, until } from "../../test/support/cli.ts";
import { filesWith, keyFileOf, secretsOf } from "../../test/support/secrets.ts";
import { begin, cold, must, say } from "./machine.ts";

const secret = "nine herons stood where the river bends";
const secretName = "letter-to-nobody-at-all.txt";

/** Known words and names go through the drive; none is in vaults, cache or the wire's bytes. */
export async function wire(): Promise<void> {
  await using machine = await begin("wire");
  const capture = join(machine.directory, "loopback.pcap");
  const tcpdump = spawn("tcpdump", ["-i", "lo", "-s", "0", "-w", capture], { stdio: "ignore" });
  await until(async () => existsSync(capture), { seconds: 10, what: "tcpdump listens" });
  await must(machine, ["mount", machine.mount]);
  const text = Buffer.from(`${secret}\n`.repeat(200_000));
  const file = openSync(join(machine.mount, secretName), "w");
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  await must(machine, ["flush", "--timeout", "300"]);
  await cold(machine);
  if (!readFileSync(join(machine.mount, secretName)).equals(text)) throw new Error("not equal");
  tcpdump.kill("SIGINT");
  await ended(tcpdump);
  const needles = [secret, secretName, machine.words.split(" ").slice(0, 3).join(" ")];
  for (const needle of needles) {
    const hits = (await run("grep", ["-rlaF", "--", needle, machine.home, capture], {})).out;
    if (hits !== "") throw new Error(`${JSON.stringify(needle)} in ${hits}`);
  }
  const holders = filesWith(await secretsOf(machine), [machine.home, capture]);
  if (holders.join() !== keyFileOf(machine)) throw new Error(`keys in ${holders.join(" ")}`);
  const size = (await run("stat", ["-c", "%s", capture], {})).out.trim();
  say(`  nothing in vaults, cache, or ${size} captured bytes`);
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
