#!/usr/bin/env python3
"""Industrial devices of the lab, played by the stacks that real ones are built with.

    ot.py bacnet ADDRESS/LENGTH   a BACnet controller that announces itself every 2 seconds (bacpypes3)
    ot.py modbus ADDRESS          a Modbus/TCP server that says who it is (pymodbus)
    ot.py poll ADDRESS            reads registers and the identification of that server, a few times
"""

import asyncio
import sys


async def bacnet(address):
    from bacpypes3.app import Application
    from bacpypes3.argparse import SimpleArgumentParser
    from bacpypes3.vendor import VendorInfo, get_vendor_info

    # 5 is Johnson Controls in ASHRAE's registry of vendors; its objects are the standard's.
    VendorInfo(5).registered_object_classes.update(get_vendor_info(999).registered_object_classes)
    arguments = ["--name", "AHU-1", "--instance", "1204", "--vendoridentifier", "5", "--address", address]
    controller = Application.from_args(SimpleArgumentParser().parse_args(arguments))
    controller.device_object.vendorIdentifier = 5
    while True:
        controller.i_am()
        await asyncio.sleep(2)


async def modbus(address):
    from pymodbus import ModbusDeviceIdentification
    from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
    from pymodbus.server import StartAsyncTcpServer

    registers = ModbusDeviceContext(hr=ModbusSequentialDataBlock(1, [17] * 100))
    identity = ModbusDeviceIdentification(
        info_name={"VendorName": "Siemens", "ProductCode": "CPU 1214C", "MajorMinorRevision": "4.5"}
    )
    context = ModbusServerContext(devices=registers, single=True)
    await StartAsyncTcpServer(context=context, identity=identity, address=(address, 502))


async def poll(address):
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient(address, port=502, timeout=2)
    await client.connect()
    for _ in range(5):
        print(await client.read_holding_registers(1, count=4))
        print(await client.read_device_information())
        await asyncio.sleep(1)
    client.close()


if __name__ == "__main__":
    asyncio.run({"bacnet": bacnet, "modbus": modbus, "poll": poll}[sys.argv[1]](sys.argv[2]))
