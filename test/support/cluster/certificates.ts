import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** A private key and the certificate for it, as PEM files. */
export interface Identity {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes an authority that signs certificates, in a directory; needs `openssl`. */
export class Authority implements Identity {
  private constructor(
    private readonly directory: string,
    readonly name: string,
  ) {}

  static async make(directory: string, name: string): Promise<Authority> {
    await mkdir(directory, { recursive: true });
    const authority = new Authority(directory, name);
    const extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
    const asked = extensions.flatMap((extension) => ["-addext", extension]);
    const files = ["-keyout", authority.keyFile, "-out", authority.certFile];
    const subject = ["-days", "2", "-subj", `/CN=${name}`];
    await authority.openssl("req", "-x509", ...NEW_KEY, ...subject, ...asked, ...files);
    return authority;
  }

  get certFile(): string {
    return join(this.directory, `${this.name}.pem`);
  }

  get keyFile(): string {
    return join(this.directory, `${this.name}.key`);
  }

  /** @param names as `subjectAltName` has them: `DNS:localhost` */
  async sign(name: string, names: string): Promise<Identity> {
    const certFile = join(this.directory, `${name}.pem`);
    const keyFile = join(this.directory, `${name}.key`);
    const request = join(this.directory, `${name}.csr`);
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`];
    await this.openssl("req", ...NEW_KEY, ...subject, "-keyout", keyFile, "-out", request);
    const by = ["-CA", this.certFile, "-CAkey", this.keyFile, "-copy_extensions", "copy", "-days", "2"];
    await this.openssl("x509", "-req", "-in", request, ...by, "-out", certFile);
    return { certFile, keyFile };
  }

  private async openssl(...args: string[]): Promise<void> {
    await execa("openssl", args, { cwd: this.directory });
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
