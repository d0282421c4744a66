/**
 * Whom a drive's user knows, what others share with her, and what she lets others read is the drive's
 * and not one machine's: a second one that has the 24 words alone has all of it, what one lets go of
 * is gone on both, and it goes on with her readers when the first one is gone. Real daemons, real
 * mounts, one swarm.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, until } from "../support/cli.ts";
import { acquaint, another, appears, broughtBack, contactOf, isShutOut, share, twoPeople }
  from "../support/two-people.ts";

const soon = { seconds: 120 };

test("contacts and the folders of others come back with the words, and are every device's",
  { timeout: 480_000 }, async (t) => {
    const { ann: desk, ben, toAnn } = await twoPeople(t, { peers: 3 });
    await acquaint(t, { ann: desk, ben });
    const carl = await another(t, "carl", desk);
    await desk.must(t, ["contacts", "add", "Carl", await contactOf(t, carl)]);
    mkdirSync(join(ben.mount, "songs"), { mode: 0o700 });
    writeFileSync(join(ben.mount, "songs", "song"), "of ben");
    await share(t, "songs", { from: ben, to: desk, name: "Ann" });
    await appears(join(desk.mount, "Shared", "songs", "song"), "of ben", soon);
    mkdirSync(join(desk.mount, "notes"), { mode: 0o700 });
    writeFileSync(join(desk.mount, "notes", "note"), "of ann on desk");
    await share(t, "notes", { from: desk, to: ben, name: "Ben" });
    await appears(join(ben.mount, "Shared", "notes", "note"), "of ann on desk", soon);

    const lap = await broughtBack(t, "lap", toAnn);
    const names = async (machine: Machine) => (await machine.must(t, ["contacts", "--json"])).out;
    await until(async () => /"Ben"/.test(await names(lap)), { ...soon, what: "Ben on lap" });
    await appears(join(lap.mount, "Shared", "songs", "song"), "of ben", soon);

    writeFileSync(join(ben.mount, "songs", "song"), "another of ben");
    await ben.must(t, ["flush", "--timeout", "60"]);
    await appears(join(lap.mount, "Shared", "songs", "song"), "another of ben", soon);
    await lap.must(t, ["shares", "forget", "songs"]);
    await lap.must(t, ["contacts", "remove", "Carl"]);
    const isGone = () => !existsSync(join(desk.mount, "Shared", "songs"));
    await until(async () => isGone(), { ...soon, what: "what lap let go of is gone on desk" });
    await until(async () => !/"Carl"/.test(await names(desk)), { ...soon, what: "and whom it forgot" });

    const given = async () => (await lap.must(t, ["shares", "--json"])).out;
    await until(async () => /"\/notes"/.test(await given()), { ...soon, what: "notes are lap's, too" });
    await desk.must(t, ["unmount"]);
    writeFileSync(join(lap.mount, "notes", "note"), "of ann on lap");
    await lap.must(t, ["flush", "--timeout", "60"]);
    await appears(join(ben.mount, "Shared", "notes", "note"), "of ann on lap", soon);
    await lap.must(t, ["revoke", join(lap.mount, "notes"), "--from", "Ben"]);
    await isShutOut(ben);
  });
