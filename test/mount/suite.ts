/**
 * What every driver must do with every tree, as sentences: the same suite runs on the tree in
 * memory and on the real one. It works from another process, through the kernel, as programs do.
 */
import type { Test } from "tap";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { limits } from "../../src/base/limits.ts";
import type { DriverName } from "../../src/mount/mount.ts";
import { moreCommon, moreKernelOnly } from "./cases.ts";
import { type Case, mountTree, probe, run, startClient } from "./harness.ts";

export interface Subject {
  readonly driver: DriverName;
  /** A new, empty tree whose root belongs to the caller. */
  makeTree(): FileSystem | Promise<FileSystem>;
}

export async function mountSuite(t: Test, subject: Subject): Promise<void> {
  const everywhere = { ...common, ...moreCommon };
  const kernels = { ...everywhere, ...kernelOnly, ...moreKernelOnly };
  const wanted = subject.driver === "kernel" ? kernels : everywhere;
  for (const [sentence, act] of Object.entries(wanted)) {
    await t.test(sentence, async (t) => {
      await using place = await mountTree(await subject.makeTree(), subject.driver);
      await act(t, place);
    });
  }
}

/** As programs are run by: stat(1) asks for the mode alone, which the kernel may remember. */
async function shownMode(path: string): Promise<number> {
  return Number.parseInt((await run("stat", "-c", "%a", path)).out, 8);
}

const common: Readonly<Record<string, Case>> = {
  "files are made, written, read, truncated and removed": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      const file = path("file");
      const absent = code(() => fs.statSync(file));
      fs.writeFileSync(file, "hello world");
      const whole = fs.readFileSync(file, "utf8");
      fs.truncateSync(file, 5);
      fs.appendFileSync(file, "!");
      const cut = fs.readFileSync(file, "utf8");
      fs.truncateSync(file, 8);
      const grown = fs.readFileSync(file).toString("hex");
      fs.writeFileSync(file, "new");
      const again = fs.readFileSync(file, "utf8");
      const exclusive = code(() => fs.openSync(file, "wx"));
      fs.unlinkSync(file);
      return [absent, whole, cut, grown, again, exclusive, code(() => fs.statSync(file))];
    }), ["ENOENT", "hello world", "hello!", "68656c6c6f210000", "new", "EEXIST", "ENOENT"]);
  },

  "large files hold what was written at random places": async (t, { client }) => {
    t.equal(await client.run(({ fs, path }) => {
      const sizeBytes = 5_000_003;
      const model = Buffer.alloc(sizeBytes, 7);
      const fd = fs.openSync(path("large"), "w+");
      fs.writeSync(fd, model);
      let seed = 42;
      const below = (bound: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % bound;
      for (let round = 0; round < 200; round++) {
        const bytes = Buffer.alloc(1 + below(20_000), round);
        const at = below(sizeBytes - bytes.length);
        bytes.copy(model, at);
        fs.writeSync(fd, bytes, 0, bytes.length, at);
      }
      fs.fsyncSync(fd);
      fs.closeSync(fd);
      return fs.readFileSync(path("large")).equals(model);
    }), true);
  },

  "directories are made, listed and removed": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      fs.mkdirSync(path("a/b/c"), { recursive: true });
      for (let i = 0; i < 1500; i++) fs.writeFileSync(path(`a/b/file-${i}`), `${i}`);
      const names = fs.readdirSync(path("a/b"));
      const distinct = new Set(names).size;
      const files = fs.readdirSync(path("a/b"), { withFileTypes: true }).filter((e) => e.isFile());
      const notEmpty = code(() => fs.rmdirSync(path("a/b")));
      const isDirectory = code(() => fs.readFileSync(path("a")));
      const notDirectory = code(() => fs.readdirSync(path("a/b/file-1")));
      const links = fs.statSync(path("a")).nlink;
      fs.rmSync(path("a"), { recursive: true });
      const left = fs.readdirSync(path(""));
      const counts = [names.length, distinct, files.length];
      return [...counts, notEmpty, isDirectory, notDirectory, links, left];
    }), [1501, 1501, 1500, "ENOTEMPTY", "EISDIR", "ENOTDIR", 3, []]);
  },

  "names are renamed, over others and across directories": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      fs.mkdirSync(path("from"));
      fs.mkdirSync(path("to"));
      fs.writeFileSync(path("from/a"), "a");
      fs.writeFileSync(path("to/b"), "b");
      fs.renameSync(path("from/a"), path("to/b"));
      const replaced = fs.readFileSync(path("to/b"), "utf8");
      fs.renameSync(path("to"), path("from/inside"));
      const moved = fs.readFileSync(path("from/inside/b"), "utf8");
      const circle = code(() => fs.renameSync(path("from"), path("from/inside/x")));
      const onFile = code(() => fs.renameSync(path("from"), path("from/inside/b")));
      const gone = code(() => fs.statSync(path("to")));
      return [replaced, moved, circle, onFile !== "none", gone];
    }), ["a", "a", "EINVAL", true, "ENOENT"]);
  },

  "modes and owners are kept": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path }) => {
      const file = path("file");
      fs.writeFileSync(file, "");
      fs.chmodSync(file, 0o640);
      fs.chownSync(file, 1234, 2345);
      const { mode, uid, gid } = fs.statSync(file);
      return [mode & 0o7777, uid, gid];
    }), [0o640, 1234, 2345]);
  },

  "symbolic and hard links lead where they should": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path, code }) => {
      fs.writeFileSync(path("file"), "content");
      fs.symlinkSync("file", path("soft"));
      fs.linkSync(path("file"), path("hard"));
      const links = fs.statSync(path("file")).nlink;
      const same = fs.statSync(path("file")).ino === fs.statSync(path("hard")).ino;
      fs.unlinkSync(path("file"));
      const dangling = code(() => fs.readFileSync(path("soft")));
      const kept = fs.readFileSync(path("hard"), "utf8");
      fs.symlinkSync("x".repeat(1000), path("long"));
      const { size } = fs.lstatSync(path("long"));
      return [fs.readlinkSync(path("soft")), links, same, dangling, kept, size];
    }), ["file", 2, true, "ENOENT", "content", 1000]);
  },

  "df tells the volume's size": async (t, { client }) => {
    const volume = await client.run(({ fs, directory }) => {
      const { blocks, bfree, bsize } = fs.statfsSync(directory);
      return { blocks, bfree, bsize };
    });
    t.ok(volume.blocks > 0 && volume.bfree > 0 && volume.bfree <= volume.blocks);
    t.equal(volume.bsize, 4096);
  },

  "extended attributes are set, read, listed and removed": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), ""));
    const file = `${directory}/file`;
    t.equal((await run("setfattr", "-n", "user.colour", "-v", "green", file)).code, 0);
    t.equal((await run("getfattr", "--only-values", "-n", "user.colour", file)).out, "green");
    t.match((await run("getfattr", file)).out, /user\.colour/);
    t.equal((await run("setfattr", "-x", "user.colour", file)).code, 0);
    t.not((await run("getfattr", "-n", "user.colour", file)).code, 0);
  },

  "the kernel holds other users to the permission bits": async (t, { client, directory }) => {
    await client.run(({ fs, path, directory }) => {
      fs.chmodSync(directory, 0o755);
      fs.writeFileSync(path("secret"), "mine");
      fs.chmodSync(path("secret"), 0o600);
      fs.writeFileSync(path("public"), "ours");
      fs.chmodSync(path("public"), 0o644);
    });
    const stranger = startClient(directory, 65534);
    const seen = await stranger.run(({ fs, path, code }) => [
      code(() => fs.readFileSync(path("secret"))), fs.readFileSync(path("public"), "utf8"),
      code(() => fs.writeFileSync(path("public"), "theirs")),
      code(() => fs.unlinkSync(path("public"))), code(() => fs.chmodSync(path("public"), 0o777)),
    ]);
    stranger.stop();
    t.strictSame(seen, ["EACCES", "ours", "EACCES", "EACCES", "EPERM"]);
  },

  "a write into an unread page keeps its surroundings": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "abcdefgh"));
    await run("sh", "-c", "echo 1 > /proc/sys/vm/drop_caches");
    t.equal(await probe("write-only", `${directory}/file`), "OK");
    t.equal(await client.run(({ fs, path }) => fs.readFileSync(path("file"), "utf8")), "abcXXfgh");
  },

  "a mapped file is read and written through memory": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "map me ".repeat(2000)));
    t.equal(await probe("map", `${directory}/file`), "OK");
    const mapped = await client.run(({ fs, path }) => fs.readFileSync(path("file"), "utf8"));
    t.equal(mapped, "MAP ME ".repeat(2000));
  },

  "cp, dd, mv and ln work": async (t, { directory }) => {
    const script = `cd "$0" && dd if=/dev/urandom of=one bs=64k count=20 conv=fsync 2>/dev/null &&
      cp -a one two && cmp one two && mkdir d && mv two d/ && ln d/two three && ln -s d/two four &&
      cmp four one && sync one && rm -r d three && test ! -e four && test -L four`;
    t.equal((await run("sh", "-c", script, directory)).code, 0);
  },

  "record locks are the kernel's": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "lock me"));
    t.equal(await probe("lock", `${directory}/file`), "OK");
  },
};

const kernelOnly: Readonly<Record<string, Case>> = {
  "rename takes its flags": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => {
      fs.writeFileSync(path("a"), "a");
      fs.mkdirSync(path("b"));
    });
    const [a, b] = [`${directory}/a`, `${directory}/b`];
    t.equal(await probe("noreplace", a, b), "EEXIST");
    t.equal(await probe("exchange", a, b), "OK");
    t.equal(await probe("exchange", a, `${directory}/none`), "ENOENT");
    t.equal(await probe("whiteout", b, `${directory}/new`), "EINVAL");
    t.strictSame(await client.run(({ fs, path }) => [
      fs.statSync(path("a")).isDirectory(), fs.readFileSync(path("b"), "utf8"),
    ]), [true, "a"]);
  },

  "a file unlinked while open lives on, without a trace": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "before"));
    t.equal(await probe("orphan", `${directory}/file`), "after 0");
    t.strictSame(await client.run(({ fs, directory }) => fs.readdirSync(directory)), []);
  },

  "a nameless file is made and named later": async (t, { client, directory }) => {
    t.equal(await probe("tmpfile", directory, `${directory}/named`), "OK");
    t.strictSame(await client.run(({ fs, path }) => {
      const { mode, nlink } = fs.statSync(path("named"));
      return [fs.readFileSync(path("named"), "utf8"), mode & 0o777, nlink];
    }), ["nameless", 0o640, 1]);
  },

  "space is allocated, punched, zeroed, and holes are told": async (t, { client, directory }) => {
    const file = `${directory}/file`;
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), Buffer.alloc(2 ** 20, 1)));
    t.equal(await probe("allocate", file, "3", `${2 ** 18}`, `${2 ** 18}`), "OK");
    t.equal(await probe("allocate", file, "16", "0", "4096"), "OK");
    t.equal(await probe("allocate", file, "1", `${2 ** 20}`, "4096"), "OK");
    t.equal(await probe("allocate", file, "0", `${2 ** 20}`, "4096"), "OK");
    t.equal(await probe("allocate", file, "8", "0", "4096"), "ENOTSUP");
    t.equal(await probe("seek", file, "hole", "0"), `${2 ** 18}`);
    t.equal(await probe("seek", file, "data", `${2 ** 18}`), `${2 ** 19}`);
    t.equal(await probe("seek", file, "data", `${2 ** 21}`), "ENXIO");
    t.equal(await probe("seek", file, "hole", "-1"), "ENXIO");
    const fresh = `${directory}/fresh`;
    const told = await probe("seek-unwritten", fresh);
    t.match(told, /^(262144|300000) 400000$/, "written, and still in the kernel's memory alone");
    t.strictSame(await client.run(({ fs, path }) => {
      const bytes = fs.readFileSync(path("file"));
      const at = [0, 4095, 4096, 2 ** 18 - 1, 2 ** 18, 2 ** 19 - 1, 2 ** 19, 2 ** 20];
      return [bytes.length, ...at.map((index) => bytes[index])];
    }), [2 ** 20 + 4096, 0, 0, 1, 1, 0, 0, 1, 0]);
  },

  "whatever a stranger changes loses its set-user-id bits": async (t, { client, directory }) => {
    const modes = () => {
      return Promise.all(["one", "other"].map((name) => shownMode(`${directory}/${name}`)));
    };
    await client.run(({ fs, path }) => {
      for (const name of ["one", "other"]) {
        fs.writeFileSync(path(name), "as root");
        fs.chmodSync(path(name), 0o6777);
      }
    });
    t.strictSame(await modes(), [0o6777, 0o6777]);
    t.equal(await probe("foreign-change", `${directory}/one`, `${directory}/other`), "OK");
    t.strictSame(await modes(), [0o777, 0o777]);
  },

  "ranges are copied inside the drive": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), Buffer.alloc(300_000, 9)));
    t.equal(await probe("copy", `${directory}/file`, `${directory}/copy`, "200000"), "200000");
    t.ok(await client.run(({ fs, path }) => {
      return fs.readFileSync(path("copy")).equals(Buffer.alloc(200_000, 9));
    }));
  },

  "birth times are told": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => fs.writeFileSync(path("file"), ""));
    t.ok(Number(await probe("birth", `${directory}/file`)) > 1_600_000_000);
  },

  "access and modification times are kept apart": async (t, { client }) => {
    t.strictSame(await client.run(({ fs, path }) => {
      fs.writeFileSync(path("file"), "");
      fs.utimesSync(path("file"), 1_000_000_000.5, 1_234_567_890.25);
      const { atimeMs, mtimeMs } = fs.statSync(path("file"));
      return [atimeMs, mtimeMs];
    }), [1_000_000_000_500, 1_234_567_890_250]);
  },

  "times are exact to the nanosecond": async (t, { client, directory }) => {
    await run("touch", "-d", "2001-02-03 04:05:06.123456789 UTC", `${directory}/file`);
    await run("touch", "-d", "1901-12-14 00:00:00.5 UTC", `${directory}/old`);
    t.strictSame(await client.run(({ fs, path }) => {
      const ns = (name: string) => String(fs.statSync(path(name), { bigint: true }).mtimeNs);
      return [ns("file"), ns("old")];
    }), ["981173106123456789", "-2147471999500000000"]);
  },

  "a time in a far future is kept as well as it can be": async (t, { directory }) => {
    const { secondsMax } = limits.tree;
    const file = `${directory}/file`;
    for (const seconds of [secondsMax, secondsMax + 1, Number.MAX_SAFE_INTEGER, 2 ** 62]) {
      t.equal((await run("touch", "-d", `@${BigInt(seconds)}`, file)).code, 0, `${seconds}`);
      // Of its mtime the kernel goes by what it said itself, as long as it knows the file.
      t.equal((await run("stat", "-c", "%X", file)).out.trim(), `${secondsMax}`);
    }
    t.equal((await run("sync", file)).code, 0, "and is written");
  },

  "devices, sockets and pipes keep their kind": async (t, { client, directory }) => {
    t.equal((await run("mkfifo", `${directory}/pipe`)).code, 0);
    t.equal((await run("mknod", `${directory}/disk`, "b", "259", "65537")).code, 0);
    t.strictSame(await client.run(({ fs, path }) => {
      return [fs.statSync(path("pipe")).isFIFO(), fs.statSync(path("disk")).isBlockDevice()];
    }), [true, true]);
    t.equal((await run("stat", "-c", "%Hr %Lr", `${directory}/disk`)).out, "259 65537\n");
  },

  "names of any bytes are kept": async (t, { directory }) => {
    const script = `cd "$0" && n=$(printf 'a\\377\\001b') && echo x > "$n" && test -f "$n" &&
      l=$(printf '%0255d' 1) && echo x > "$l" && rm "$l" && ! echo x > "0$l"`;
    t.equal((await run("sh", "-c", script, directory)).code, 0);
  },

  "a write by another user drops set-user-id": async (t, { client, directory }) => {
    await client.run(({ fs, path }) => {
      for (const way of ["write", "truncate"]) {
        fs.writeFileSync(path(way), "old");
        fs.chmodSync(path(way), 0o6777);
      }
    });
    const stranger = startClient(directory, 65534);
    await stranger.run(({ fs, path }) => {
      fs.writeFileSync(path("write"), "new", { flag: "r+" });
      fs.writeFileSync(path("truncate"), "new");
    });
    stranger.stop();
    for (const way of ["write", "truncate"]) {
      t.equal(await shownMode(`${directory}/${way}`), 0o777, way);
    }
  },

  "a POSIX access list lets a named user in": async (t, { client, directory }) => {
    await client.run(({ fs, path, directory }) => {
      fs.chmodSync(directory, 0o755);
      fs.writeFileSync(path("file"), "for you", { mode: 0o600 });
    });
    // Version 2; owner rw-, user 65534 r--, group ---, mask r--, other ---.
    const list = "0x02000000" + "01000600ffffffff" + "02000400feff0000" + "04000000ffffffff" +
      "10000400ffffffff" + "20000000ffffffff";
    const words = ["-n", "system.posix_acl_access", "-v", list, `${directory}/file`];
    t.equal((await run("setfattr", ...words)).code, 0);
    const stranger = startClient(directory, 65534);
    t.strictSame(await stranger.run(({ fs, path, code }) => {
      return [fs.readFileSync(path("file"), "utf8"), code(() => fs.openSync(path("file"), "r+"))];
    }), ["for you", "EACCES"]);
    stranger.stop();
  },

  "the umask is applied": async (t, { client, directory }) => {
    const script = 'umask 027; cd "$0"; echo x > file; mkdir folder; mkfifo pipe';
    await run("sh", "-c", script, directory);
    t.strictSame(await client.run(({ fs, path }) => {
      return ["file", "folder", "pipe"].map((name) => fs.statSync(path(name)).mode & 0o777);
    }), [0o640, 0o750, 0o640]);
  },
};
