// webpack 5, laid out as create-react-app made popular.
import HtmlWebpackPlugin from "html-webpack-plugin";
import MiniCssExtractPlugin from "mini-css-extract-plugin";
import webpack from "webpack";
import { folder, source } from "./folder.mjs";

/** File names by the hash that a team chose; `default` is what webpack does when nobody says. */
const layouts = {
  contenthash: hashed("contenthash"),
  chunkhash: hashed("chunkhash"),
  fullhash: hashed("fullhash"),
  default: { output: {}, styles: {}, optimization: {} },
};

function hashed(hash) {
  return {
    output: {
      filename: `static/js/[name].[${hash}:8].js`,
      chunkFilename: `static/js/[name].[${hash}:8].chunk.js`,
      assetModuleFilename: "static/media/[name].[hash][ext]",
    },
    styles: {
      filename: `static/css/[name].[${hash}:8].css`,
      chunkFilename: `static/css/[name].[${hash}:8].chunk.css`,
    },
    optimization: { splitChunks: { chunks: "all" }, runtimeChunk: "single" },
  };
}

export async function build({ out, sourceMaps, names, publicPath = "/" }) {
  const { output, styles, optimization } = layouts[names];
  await run({
    mode: "production",
    context: folder,
    entry: { main: source("entries/webpack.jsx") },
    output: { path: out, publicPath, ...output },
    devtool: sourceMaps ? "source-map" : false,
    optimization,
    performance: false,
    module: {
      rules: [
        { test: /\.jsx?$/, include: source(""), loader: "esbuild-loader", options: { jsx: "automatic", target: "es2022" } },
        {
          test: /\.css$/,
          use: [MiniCssExtractPlugin.loader, { loader: "css-loader", options: { modules: { auto: true, namedExport: false } } }],
        },
        { test: /\.(png|svg|csv)$/, type: "asset/resource" },
      ],
    },
    plugins: [new HtmlWebpackPlugin({ template: source("page.html") }), new MiniCssExtractPlugin(styles)],
  });
}

function run(config) {
  return new Promise((resolve, reject) => {
    webpack(config, (error, stats) => {
      if (error) reject(error);
      else if (stats.hasErrors()) reject(new Error(stats.toString({ all: false, errors: true })));
      else resolve();
    });
  });
}
