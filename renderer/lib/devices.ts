/** What people call the devices. */
export const deviceNames: Readonly<Record<string, string>> = {
  cuda: "NVIDIA CUDA",
  webgpu: "WebGPU",
  directml: "DirectML",
  coreml: "Core ML",
  cpu: "Processor",
  tfjs: "TensorFlow.js",
};
