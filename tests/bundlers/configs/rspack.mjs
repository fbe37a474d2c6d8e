// Rspack 2: scripts with css-loader, or modules with its own CSS; with its plugin for integrity on demand.
import { rspack } from "@rspack/core";
import { folder, source } from "./folder.mjs";

/** How CSS is built in either form. */
const styles = {
  extracted: {
    rule: {
      test: /\.css$/,
      type: "javascript/auto",
      use: [rspack.CssExtractRspackPlugin.loader, { loader: "css-loader", options: { modules: { auto: true, namedExport: false } } }],
    },
    plugins: [
      new rspack.CssExtractRspackPlugin({
        filename: "static/css/[name].[contenthash:8].css",
        chunkFilename: "static/css/[name].[contenthash:8].chunk.css",
      }),
    ],
  },
  builtIn: {
    rule: { test: /\.css$/, type: "css/auto", parser: { namedExports: false } },
    plugins: [],
  },
};

export async function build({ out, sourceMaps, modules = false, integrity = false }) {
  const { rule, plugins } = modules ? styles.builtIn : styles.extracted;
  await run({
    mode: "production",
    context: folder,
    entry: { main: source("entries/webpack.jsx") },
    output: {
      path: out,
      publicPath: "/",
      module: modules,
      filename: "static/js/[name].[contenthash:8].js",
      chunkFilename: "static/js/[name].[contenthash:8].chunk.js",
      cssFilename: "static/css/[name].[contenthash:8].css",
      cssChunkFilename: "static/css/[name].[contenthash:8].chunk.css",
      assetModuleFilename: "static/media/[name].[contenthash:8][ext]",
      crossOriginLoading: integrity ? "anonymous" : false,
    },
    devtool: sourceMaps ? "source-map" : false,
    optimization: { splitChunks: { chunks: "all" }, runtimeChunk: "single" },
    performance: false,
    module: {
      rules: [
        {
          test: /\.jsx?$/,
          include: source(""),
          loader: "builtin:swc-loader",
          options: { jsc: { parser: { syntax: "ecmascript", jsx: true }, transform: { react: { runtime: "automatic" } }, target: "es2022" } },
        },
        rule,
        { test: /\.(png|svg|csv)$/, type: "asset/resource" },
      ],
    },
    plugins: [
      new rspack.HtmlRspackPlugin({ template: source("page.html"), scriptLoading: modules ? "module" : "defer" }),
      ...plugins,
      ...(integrity ? [new rspack.SubresourceIntegrityPlugin()] : []),
    ],
  });
}

function run(config) {
  return new Promise((resolve, reject) => {
    const compiler = rspack(config);
    compiler.run((error, stats) => {
      const failure = error ?? (stats.hasErrors() ? new Error(stats.toString({ all: false, errors: true })) : null);
      compiler.close(() => (failure ? reject(failure) : resolve()));
    });
  });
}
