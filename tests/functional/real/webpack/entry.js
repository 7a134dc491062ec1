import * as d3 from "d3";
import _ from "lodash";
import React from "react";
import { createRoot } from "react-dom/client";
import * as THREE from "three";

function Chart({ values }) {
  const scale = d3.scaleLinear(d3.extent(values), [0, 320]);
  const bars = _.map(values, (value, key) => React.createElement("rect", { key, width: scale(value), height: 12, y: key * 14 }));
  return React.createElement("svg", { width: 320, height: values.length * 14 }, bars);
}

const scene = new THREE.Scene();
scene.add(new THREE.Mesh(new THREE.TorusKnotGeometry(), new THREE.MeshStandardMaterial()));

// Whole namespaces are kept on purpose: a page that exposes them gives the bundler nothing to leave out.
Object.assign(window, { d3, THREE, scene });
createRoot(document.querySelector("main")).render(React.createElement(Chart, { values: _.range(24) }));
