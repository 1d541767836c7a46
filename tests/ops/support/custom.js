// Objects that are no part of Kubernetes itself, held against the types of the projects that define them: values by their
// schemas, and names of fields, which those schemas let pass, by the compiler.
import path from 'node:path';

import ts from 'typescript';

import { REPOSITORY } from './tools.js';

const PACKAGES = {
  'gateway.networking.k8s.io/v1': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator',
};

/** Whether the API that defines it is one of those. */
export const isCustom = ({ apiVersion }) => apiVersion in PACKAGES;

/** Throws if the object is not as its API wants it. */
export async function check(object) {
  const module = `${PACKAGES[object.apiVersion]}/${object.apiVersion}/${object.kind}`;
  const { [object.kind]: Model } = await import(module);
  new Model(object).validate();

  const source = `import { type I${object.kind} } from '${module}';\nexport const object: I${object.kind} = ${JSON.stringify(object)};\n`;
  const complaints = complaintsOf(source);
  if (complaints.length > 0) throw new Error(`${object.kind} ${object.metadata.name}: ${complaints.join('\n')}`);
}

function complaintsOf(source) {
  const file = path.join(REPOSITORY, 'tests/ops/checked.ts');   // Nowhere but in this process.
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022 };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = name => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) => (name === file ? ts.createSourceFile(name, source, options.target) : getSourceFile(name, ...rest));
  return ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
