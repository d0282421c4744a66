/** More of the suite (suite.ts): several processes, mappings, long names, large files. */
import { type Case, probe, run, startClient } from "./harness.ts";

export const moreCommon: Readonly<Record<string, Case>> = {
  "directories are renamed over empty ones alone": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      for (const name of ["a", "empty", "full", "full/in"]) fs.mkdirSync(path(name));
      fs.writeFileSync(path("file"), "");
      const codes = [
        code(() => fs.renameSync(path("a"), path("full"))),
        code(() => fs.renameSync(path("a"), path("file"))),
        code(() => fs.renameSync(path("file"), path("a"))),
        code(() => fs.renameSync(path("a"), path("empty"))),
        code(() => fs.renameSync(path("none"), path("b"))),
        code(() => fs.renameSync(path("empty"), path("none/b"))),
        code(() => fs.renameSync(path("full"), path("full/in/full"))),
      ];
      return [...codes, fs.readdirSync(path("")).sort()];
    }), ["ENOTEMPTY", "ENOTDIR", "EISDIR", "none", "ENOENT", "ENOENT", "EINVAL",
      ["empty", "file", "full"]]);
  },

  "in a sticky directory everybody removes only their own": async (t, { client, directory }) => {
    await client.run(({ fs, path, directory }) => {
      fs.chmodSync(directory, 0o755);
      fs.mkdirSync(path("sticky"));
      fs.chmodSync(path("sticky"), 0o1777);
      for (const [name, user] of [["mine", 0], ["theirs", 65534]] as const) {
        fs.writeFileSync(path(`sticky/${name}`), "");
        fs.chownSync(path(`sticky/${name}`), user, user);
      }
    });
    const stranger = startClient(directory, 65534);
    const codes = await stranger.run(({ fs, path, code }) => [
      code(() => fs.unlinkSync(path("sticky/mine"))),
      code(() => fs.renameSync(path("sticky/mine"), path("sticky/moved"))),
      code(() => fs.renameSync(path("sticky/theirs"), path("sticky/mine"))),
      code(() => fs.unlinkSync(path("sticky/theirs"))),
    ]);
    stranger.stop();
    t.strictSame(codes, ["EPERM", "EPERM", "EPERM", "none"]);
  },

  "symbolic links hold up to 4095 bytes": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      fs.symlinkSync("l".repeat(4095), path("longest"));
      const { length } = fs.readlinkSync(path("longest"));
      const size = fs.lstatSync(path("longest")).size;
      return [length, size, code(() => fs.symlinkSync("l".repeat(4096), path("longer")))];
    }), [4095, 4095, "ENAMETOOLONG"]);
  },

  "names have up to 255 bytes": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      const name = `${"\u00e4".repeat(127)}x`;
      fs.writeFileSync(path(name), "long");
      return [
        fs.readdirSync(path("")).map((entry) => entry === name),
        fs.readFileSync(path(name), "utf8"), code(() => fs.writeFileSync(path(`${name}y`), "")),
      ];
    }), [[true], "long", "ENAMETOOLONG"]);
  },

  "paths have up to 4095 bytes": async (t, { directory }) => {
    t.equal(await probe("longest-path", directory), "4095 4 1");
    t.equal((await run("rm", "-r", `${directory}/${"p".repeat(255)}`)).code, 0);
  },

  "a file is larger than 2^43 bytes, and takes no room": async (t, { directory }) => {
    t.equal(await probe("far", `${directory}/far`), `${2 ** 43 + 8} 1`);
  },

  "two programs append without loss": async (t, { directory }) => {
    t.equal(await probe("append", `${directory}/log`), "1000 1000");
  },

  "direct and cached reads and writes see each other": async (t, { directory }) => {
    t.equal(await probe("direct", `${directory}/file`), "OK");
  },

  "a private mapping is nobody else's": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "ours"));
    t.equal(await probe("map-private", `${directory}/file`), "OK");
  },

  "a mapped file is cut and grows again": async (t, { directory }) => {
    t.equal(await probe("map-truncated", `${directory}/file`), "OK");
  },

  "record locks and flock keep other processes out": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "lock me"));
    t.equal(await probe("locks", `${directory}/file`), "0");
  },

  "du tells what is stored, not how large a file looks": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => {
      fs.writeFileSync(path("full"), Buffer.alloc(2 ** 20, 7));
      fs.writeFileSync(path("hole"), "");
      fs.truncateSync(path("hole"), 2 ** 30);
    });
    const { out } = await run("du", "-k", `${directory}/full`, `${directory}/hole`);
    const [full, hole] = out.split("\n").map((line) => Number.parseInt(line, 10));
    t.ok(full !== undefined && full >= 1024 && full <= 1280, `${full} KiB`);
    t.equal(hole, 0);
  },

  "a directory that changes is read without loss, and again from a place": async (t, place) => {
    await place.client.run(({ fs, path }) => {
      for (let i = 0; i < 3000; i++) fs.closeSync(fs.openSync(path(`f${i}`), "w"));
    });
    t.equal(await probe("seekdir", place.directory), "OK");
  },
};

export const moreKernelOnly: Readonly<Record<string, Case>> = {
  "UTIME_OMIT and UTIME_NOW are what they say": async (t, { directory }) => {
    t.equal(await probe("moments", `${directory}/file`), "5.500 7.700 1 7");
  },

  "values of extended attributes are created, replaced and measured": async (t, place) => {
    await place.client.run(({ fs, path }) => fs.writeFileSync(path("file"), ""));
    t.equal(await probe("values", `${place.directory}/file`), "OK");
  },

  "set-group-id goes when one who is not of the group sets an access list": async (
    t, { client, directory },
  ) => {
    await client.run(({ fs, path }) => {
      fs.mkdirSync(path("folder"));
      fs.chownSync(path("folder"), 65534, 0);
      fs.chmodSync(path("folder"), 0o2771);
    });
    // Version 2; owner rwx, user 1 r--, group r-x, mask r-x, other --x.
    const list = "0x02000000" + "01000700ffffffff" + "0200040001000000" + "04000500ffffffff" +
      "10000500ffffffff" + "20000100ffffffff";
    const script = 'setpriv --reuid 65534 --regid 65534 --clear-groups ' +
      'setfattr -n system.posix_acl_access -v "$1" "$0/folder" && stat -c %a "$0/folder"';
    t.equal((await run("sh", "-c", script, directory, list)).out, "751\n");
  },

  "nobody gives a file an attribute of the system's but access lists": async (t, place) => {
    await place.client.run(({ fs, path }) => fs.writeFileSync(path("file"), "", { mode: 0o600 }));
    const words = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    const set = ["setfattr", "-n", "system.mine", "-v", "1", `${place.directory}/file`];
    t.not((await run("setpriv", ...words, ...set)).code, 0);
    t.equal((await run("getfattr", "-m", "-", `${place.directory}/file`)).out, "");
  },

  "a default access list is handed down": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.mkdirSync(path("folder")));
    // Version 2; owner rwx, user 65534 rw-, group r-x, mask rwx, other ---.
    const list = "0x02000000" + "01000700ffffffff" + "02000600feff0000" + "04000500ffffffff" +
      "10000700ffffffff" + "20000000ffffffff";
    const words = ["-n", "system.posix_acl_default", "-v", list, `${directory}/folder`];
    t.equal((await run("setfattr", ...words)).code, 0);
    const script = 'cd "$0/folder"; umask 077; mkdir in; echo x > file; ' +
      'getfattr --absolute-names -e hex -n system.posix_acl_default --only-values in | wc -c; ' +
      "getfattr -n system.posix_acl_access --only-values file | wc -c; stat -c %a file";
    // The mask takes the place of the group's bits, and the umask is not asked.
    t.equal((await run("sh", "-c", script, directory)).out, "44\n44\n660\n");
  },
};
