//= require jquery/dist/jquery
//= require popper.js/dist/umd/popper
//= require bootstrap/dist/js/bootstrap
//= require lodash/lodash
//= require d3/dist/d3
//= require three/build/three

$(function () {
  var values = _.range(24);
  var scale = d3.scaleLinear().domain(d3.extent(values)).range([0, 320]);
  d3.select("main").selectAll("p").data(values).enter().append("p").style("width", scale);
});
