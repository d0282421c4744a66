/**
 * Whom a drive's user knows, what others share with her, and what she lets others read is the drive's
 * and not one machine's: a second one that has the 24 words alone has all of it, what one lets go of
 * is gone on both, and it goes on with her readers when the first one is gone. Real daemons, real
 * mounts, one swarm.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine, until, wordsIn } from "../support/cli.ts";
import { met } from "../support/folders.ts";
import { isShutOut } from "../support/two-people.ts";

const soon = { seconds: 120 };

function says(path: string, text: string): Promise<void> {
  const isThere = async () => existsSync(path) && readFileSync(path, "utf8") === text;
  return until(isThere, { ...soon, what: `${path} says ${text}` });
}

test("contacts and the folders of others come back with the words, and are every device's",
  { timeout: 480_000 }, async (t) => {
    const [desk, lap, ben] = [newMachine("desk"), newMachine("lap"), newMachine("ben")];
    t.teardown(async () => {
      for (const machine of [lap, ben, desk]) await machine.end();
    });
    const mounted = await desk.must(t, ["mount", desk.mount, "--swarm", "3"]);
    await ben.must(t, ["init"]);
    const peers = (await desk.swarm()).map(({ address }) => address);
    ben.settings({ listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false, bootstrap: peers });
    await ben.must(t, ["mount", ben.mount]);
    await met(desk, 3);
    await met(ben, 3);

    mkdirSync(join(ben.mount, "songs"), { mode: 0o700 });
    writeFileSync(join(ben.mount, "songs", "song"), "of ben");
    const me = async (machine: Machine) => (await machine.must(t, ["contacts", "me"])).out.trim();
    await desk.must(t, ["contacts", "add", "Ben", await me(ben)]);
    await ben.must(t, ["contacts", "add", "Ann", await me(desk)]);
    const share = async (from: Machine, folder: string, person: string): Promise<string> =>
      (await from.must(t, ["share", join(from.mount, folder), "--with", person])).out.trim();
    await desk.must(t, ["accept", await share(ben, "songs", "Ann")]);
    await ben.must(t, ["flush", "--timeout", "60"]);
    await says(join(desk.mount, "Shared", "songs", "song"), "of ben");
    mkdirSync(join(desk.mount, "notes"), { mode: 0o700 });
    writeFileSync(join(desk.mount, "notes", "note"), "of ann on desk");
    await ben.must(t, ["accept", await share(desk, "notes", "Ben")]);
    await desk.must(t, ["flush", "--timeout", "60"]);
    await says(join(ben.mount, "Shared", "notes", "note"), "of ann on desk");

    await lap.must(t, ["recover", "--peer", peers[0] as string], `${wordsIn(mounted.out)}\n`);
    await lap.must(t, ["mount", lap.mount]);
    const names = async (machine: Machine) => (await machine.must(t, ["contacts", "--json"])).out;
    await until(async () => /"Ben"/.test(await names(lap)), { ...soon, what: "Ben on lap" });
    await says(join(lap.mount, "Shared", "songs", "song"), "of ben");

    writeFileSync(join(ben.mount, "songs", "song"), "another of ben");
    await ben.must(t, ["flush", "--timeout", "60"]);
    await says(join(lap.mount, "Shared", "songs", "song"), "another of ben");
    await lap.must(t, ["shares", "forget", "songs"]);
    await lap.must(t, ["contacts", "remove", "Ben"]);
    const isGone = () => !existsSync(join(desk.mount, "Shared", "songs"));
    await until(async () => isGone(), { ...soon, what: "what lap let go of is gone on desk" });
    await until(async () => !/"Ben"/.test(await names(desk)), { ...soon, what: "and whom it forgot" });

    const given = async () => (await lap.must(t, ["shares", "--json"])).out;
    await until(async () => /"\/notes"/.test(await given()), { ...soon, what: "notes are lap's, too" });
    await lap.must(t, ["contacts", "add", "Ben", await me(ben)]);
    await desk.must(t, ["unmount"]);
    writeFileSync(join(lap.mount, "notes", "note"), "of ann on lap");
    await lap.must(t, ["flush", "--timeout", "60"]);
    await says(join(ben.mount, "Shared", "notes", "note"), "of ann on lap");
    await lap.must(t, ["revoke", join(lap.mount, "notes"), "--from", "Ben"]);
    await isShutOut(ben);
  });
