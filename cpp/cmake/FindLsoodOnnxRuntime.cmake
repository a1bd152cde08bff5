# SPDX-License-Identifier: Apache-2.0
# Finds the library file of ONNX Runtime and makes the target lsood::onnxruntime of it.
#
# ONNXRUNTIME_ROOT is an unpacked release, or the folder of the Python package onnxruntime. The library in the latter has no
# name by which a loader would find it, so that links to it are made in the build folder.
set(ONNXRUNTIME_ROOT "" CACHE PATH "unpacked release of ONNX Runtime, or the folder of its Python package")
find_library(ONNXRUNTIME_LIBRARY onnxruntime HINTS ${ONNXRUNTIME_ROOT} PATH_SUFFIXES lib lib64)
if(NOT ONNXRUNTIME_LIBRARY AND ONNXRUNTIME_ROOT)
  file(GLOB found ${ONNXRUNTIME_ROOT}/capi/libonnxruntime.so.* ${ONNXRUNTIME_ROOT}/libonnxruntime.so.*)
  if(found)
    list(GET found 0 found)
    set(links ${CMAKE_BINARY_DIR}/onnxruntime)
    file(MAKE_DIRECTORY ${links})
    foreach(name libonnxruntime.so libonnxruntime.so.1)
      file(CREATE_LINK ${found} ${links}/${name} SYMBOLIC)
    endforeach()
    set(ONNXRUNTIME_LIBRARY ${links}/libonnxruntime.so CACHE FILEPATH "library of ONNX Runtime" FORCE)
  endif()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LsoodOnnxRuntime REQUIRED_VARS ONNXRUNTIME_LIBRARY REASON_FAILURE_MESSAGE
  "give -DONNXRUNTIME_ROOT=its folder: an unpacked release of ONNX Runtime, or that of the Python package onnxruntime")
if(LsoodOnnxRuntime_FOUND AND NOT TARGET lsood::onnxruntime)
  add_library(lsood::onnxruntime UNKNOWN IMPORTED)
  set_target_properties(lsood::onnxruntime PROPERTIES IMPORTED_LOCATION ${ONNXRUNTIME_LIBRARY})
endif()
