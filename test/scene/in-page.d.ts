export function feedCode(target: string): Promise<Record<string, string>>;
export function readLook(): {
  overflow: number;
  language: string;
  paper: string | undefined;
  colors: string[];
};
