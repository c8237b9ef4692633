import * as fs from "node:fs";

type Callback = (error: Error | null) => void;

/**
 * An open file. What may wait for the disk is left to another thread; that takes longer than most of
 * what a system is asked for, so the rest is done at once.
 */
export class OpenFile {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** As open(2). */
  static open(path: string, flags: number, mode?: number): Promise<OpenFile> {
    return new Promise((resolve, reject) => {
      fs.open(path, flags, mode, (error, fd) =>
        error ? reject(error) : resolve(new OpenFile(fd)),
      );
    });
  }

  /** As open(2), and at once, where there is a file; else undefined. */
  static openExisting(path: string, flags: number): OpenFile | undefined {
    // An error takes longer to make than a second look. What cannot be looked at is not nothing.
    const isThere = fs.statSync(path, { throwIfNoEntry: false }) !== undefined;
    return isThere ? new OpenFile(fs.openSync(path, flags)) : undefined;
  }

  stat(): fs.Stats {
    return fs.fstatSync(this.fd);
  }

  chown(uid: number, gid: number): Promise<void> {
    return finished((done) => fs.fchown(this.fd, uid, gid, done));
  }

  chmod(mode: number): Promise<void> {
    return finished((done) => fs.fchmod(this.fd, mode, done));
  }

  /** From the beginning on. A disk that is nearly full for example takes less at once than it is given. */
  async write(bytes: Buffer): Promise<void> {
    for (let position = 0; position < bytes.length; ) {
      const rest = bytes.length - position;
      position += await new Promise<number>((resolve, reject) => {
        fs.write(this.fd, bytes, position, rest, position, (error, written) =>
          error ? reject(error) : resolve(written),
        );
      });
    }
  }

  truncate(length: number): Promise<void> {
    return finished((done) => fs.ftruncate(this.fd, length, done));
  }

  /** Resolves when everything is on the disk. */
  sync(): Promise<void> {
    return finished((done) => fs.fsync(this.fd, done));
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

function finished(begin: (done: Callback) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => (error ? reject(error) : resolve()));
  });
}
